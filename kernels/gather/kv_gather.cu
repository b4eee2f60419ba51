#include <algorithm>

#include "kernels/cuda_check.hpp"
#include "kernels/gather/kv_gather.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kMostThreads = 256;  // a tile of 4 KB

// Adds 1, or starts over from 0 after `last`. Returns the value before.
__device__ __forceinline__ unsigned int increment_release_gpu(unsigned int* word,
                                                              unsigned int last) {
  unsigned int before;
  asm volatile("atom.inc.release.gpu.global.u32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(word), "r"(last)
               : "memory");
  return before;
}

// One CTA copies one tile of one region's row; a thread copies one vector.
__global__ void kv_gather_kernel(const __grid_constant__ KvGather work) {
  const int region = static_cast<int>(blockIdx.x);
  const int vector = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x);
  if (vector < work.vectors_per_row) {
    const std::size_t row_length = static_cast<std::size_t>(work.vectors_per_row);
    const uint4* row =
        work.region_bases[region] + static_cast<std::size_t>(work.row_ids[region]) * row_length;
    uint4 value = load_streaming(row + vector);
    value.w = static_cast<unsigned int>(work.generation);
    work.slot[static_cast<std::size_t>(region) * row_length + static_cast<std::size_t>(vector)] =
        value;
  }
  if (work.done_flag == nullptr) return;

  // The barrier puts the CTA's stores before thread 0's release. Whoever counts last has then seen
  // all CTAs' stores, and its release to the system carries them all.
  __syncthreads();
  if (threadIdx.x != 0) return;
  const unsigned int last = gridDim.x * gridDim.y - 1;
  if (increment_release_gpu(work.tiles_done, last) != last) return;
  fence_acq_rel_gpu();
  store_release_sys(work.done_flag, work.generation);
}

}  // namespace

void launch_kv_gather(const KvGather& work, cudaStream_t stream) {
  if (work.region_count == 0 || work.vectors_per_row == 0) return;
  const int warps = (work.vectors_per_row + 31) / 32;
  const int threads = std::min(kMostThreads, 32 * warps);
  const int tiles = (work.vectors_per_row + threads - 1) / threads;
  const dim3 grid(static_cast<unsigned int>(work.region_count), static_cast<unsigned int>(tiles));
  kv_gather_kernel<<<grid, static_cast<unsigned int>(threads), 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
