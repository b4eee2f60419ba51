#include "kernels/cuda_check.hpp"
#include "kernels/gather/slot_read.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;

// Relaxed at system scope: a peer may be writing the slot right now, which is what is counted.
__device__ __forceinline__ unsigned int load_stamp(const uint4* from) {
  uint4 v;
  asm volatile("ld.relaxed.sys.global.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v.w;
}

// One CTA reads one row.
__global__ void slot_read_kernel(const __grid_constant__ SlotRead work) {
  const uint4* row =
      work.slot + std::size_t{blockIdx.x} * static_cast<std::size_t>(work.vectors_per_row);
  const unsigned int expected = static_cast<unsigned int>(work.generation);
  bool stale = false;
#pragma unroll 4
  for (int v = static_cast<int>(threadIdx.x); v < work.vectors_per_row; v += kThreads)
    stale |= load_stamp(row + v) != expected;
  const bool row_is_stale = __syncthreads_or(stale) != 0;
  if (threadIdx.x == 0 && row_is_stale) atomicAdd(work.stale_rows, 1);
}

}  // namespace

void launch_slot_read(const SlotRead& work, cudaStream_t stream) {
  if (work.row_count == 0) return;
  slot_read_kernel<<<static_cast<unsigned int>(work.row_count), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
