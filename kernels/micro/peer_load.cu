#include "kernels/cuda_check.hpp"
#include "kernels/micro/peer_load.cuh"

namespace epsim::kernels {
namespace {

constexpr int kUnroll = 8;

// Past the L1 cache, which would serve later passes; volatile, so that no pass is optimised away.
__device__ __forceinline__ std::uint8_t load_past_l1(const std::uint8_t* from) {
  std::uint32_t value;
  asm volatile("ld.global.cg.u8 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return static_cast<std::uint8_t>(value);
}
__device__ __forceinline__ std::uint32_t load_past_l1(const std::uint32_t* from) {
  std::uint32_t value;
  asm volatile("ld.global.cg.u32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}
__device__ __forceinline__ uint4 load_past_l1(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.cg.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}

template <typename Word>
__global__ void __launch_bounds__(1024) peer_load_kernel(const __grid_constant__ PeerLoad work) {
  const Word* source = static_cast<const Word*>(work.source);
  Word* target = static_cast<Word*>(work.target);
  // 32 bits: eight addresses of 64 at once would not fit the registers of a full SM.
  const unsigned count = static_cast<unsigned>(work.bytes / sizeof(Word));
  const unsigned stride = gridDim.x * blockDim.x;
  const unsigned first = blockIdx.x * blockDim.x + threadIdx.x;
  for (int pass = 0; pass < work.passes; ++pass) {
    for (unsigned i = first; i < count; i += kUnroll * stride) {
      Word words[kUnroll];
#pragma unroll
      for (int j = 0; j < kUnroll; ++j)
        if (i + j * stride < count) words[j] = load_past_l1(source + i + j * stride);
#pragma unroll
      for (int j = 0; j < kUnroll; ++j)
        if (i + j * stride < count) target[i + j * stride] = words[j];
    }
  }
}

__global__ void __launch_bounds__(1024)
    byte_peer_load_kernel(const __grid_constant__ PeerLoad work) {
  const std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < work.bytes)
    static_cast<std::uint8_t*>(work.target)[i] =
        load_past_l1(static_cast<const std::uint8_t*>(work.source) + i);
}

void launch_strided(const PeerLoad& work, cudaStream_t stream) {
  const int ctas = work.cta_count, threads = work.threads_per_cta;
  switch (work.width) {
    case 1:
      peer_load_kernel<std::uint8_t><<<ctas, threads, 0, stream>>>(work);
      break;
    case 4:
      peer_load_kernel<std::uint32_t><<<ctas, threads, 0, stream>>>(work);
      break;
    case 16:
      peer_load_kernel<uint4><<<ctas, threads, 0, stream>>>(work);
      break;
    default:
      throw CudaError("peer_load goes by 1, 4 or 16 bytes a lane");
  }
}

}  // namespace

void launch_peer_load(const PeerLoad& work, cudaStream_t stream) {
  if (work.form == LoadForm::strided) {
    launch_strided(work, stream);
  } else {
    const std::size_t threads = static_cast<std::size_t>(work.threads_per_cta);
    const std::size_t ctas = (work.bytes + threads - 1) / threads;
    byte_peer_load_kernel<<<static_cast<unsigned>(ctas), work.threads_per_cta, 0, stream>>>(work);
  }
  cuda_check_launch();
}

}  // namespace epsim::kernels
