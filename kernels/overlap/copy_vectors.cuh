// copy_vectors: one CTA copies a range of 16-byte vectors, eight loads of a thread under way at
// once.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/ptx.cuh"

namespace epsim::kernels {

// One CTA of this size fills an SM's threads by half and, with its eight vectors in registers,
// leaves no room for a second one: a kernel of s CTAs is a kernel on s SMs.
inline constexpr int kCopyThreads = 1024;
inline constexpr int kCopyUnroll = 8;  // 128 KiB under way on an SM

// `source` must not be written while the kernel runs: it is read past L1, non-coherently.
__device__ __forceinline__ void copy_vectors(const uint4* source,
                                             uint4* target,
                                             std::int64_t first,
                                             std::int64_t last) {
  std::int64_t v = first + threadIdx.x;
  for (; v + (kCopyUnroll - 1) * kCopyThreads < last; v += kCopyUnroll * kCopyThreads) {
    uint4 values[kCopyUnroll];
#pragma unroll
    for (int i = 0; i < kCopyUnroll; ++i) values[i] = load_streaming(source + v + i * kCopyThreads);
#pragma unroll
    for (int i = 0; i < kCopyUnroll; ++i) store_streaming(target + v + i * kCopyThreads, values[i]);
  }
  for (; v < last; v += kCopyThreads) store_streaming(target + v, load_streaming(source + v));
}

}  // namespace epsim::kernels
