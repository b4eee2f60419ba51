#include "kernels/cuda_check.hpp"
#include "kernels/micro/peer_store.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

template <int kUnroll>
__global__ void __launch_bounds__(1024) peer_store_kernel(const __grid_constant__ PeerStore work) {
  const unsigned warps_per_cta = blockDim.x / 32;
  const unsigned warp = blockIdx.x * warps_per_cta + threadIdx.x / 32;
  const unsigned block_count = static_cast<unsigned>(work.blocks_per_warp);
  const unsigned target_count = static_cast<unsigned>(work.target_count);
  for (int pass = 0; pass < work.passes; ++pass) {
    // Counted along instead of divided: a remainder costs as much as several stores.
    unsigned target = warp % target_count;
    unsigned index = warp * block_count * 32 * kUnroll + threadIdx.x % 32;
    for (unsigned block = 0; block < block_count; ++block) {
      uint4* to = work.targets.at[target];
#pragma unroll
      for (unsigned j = 0; j < kUnroll; ++j)
        store_streaming(to + index + 32 * j, stamped_vector(work.stamp, index + 32 * j));
      index += 32 * kUnroll;
      if (++target == target_count) target = 0;
    }
  }
  fence_acq_rel_sys();
}

}  // namespace

void launch_peer_store(const PeerStore& work, cudaStream_t stream) {
  const int threads = 32 * work.warps_per_cta;
  switch (work.unroll) {
    case 1:
      peer_store_kernel<1><<<work.cta_count, threads, 0, stream>>>(work);
      break;
    case 4:
      peer_store_kernel<4><<<work.cta_count, threads, 0, stream>>>(work);
      break;
    case 8:
      peer_store_kernel<8><<<work.cta_count, threads, 0, stream>>>(work);
      break;
    default:
      throw CudaError("peer_store unrolls by 1, 4 or 8");
  }
  cuda_check_launch();
}

}  // namespace epsim::kernels
