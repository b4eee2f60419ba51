#include "kernels/cuda_check.hpp"
#include "kernels/micro/bulk_store.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

__global__ void __launch_bounds__(1024) bulk_store_kernel(const __grid_constant__ BulkStore work) {
#ifdef EPSIM_HAS_BULK_COPY
  extern __shared__ __align__(128) unsigned char sources[];
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp_of_cta = threadIdx.x / 32;
  const unsigned warp = blockIdx.x * (blockDim.x / 32) + warp_of_cta;
  const unsigned target_count = static_cast<unsigned>(work.target_count);
  unsigned char* source = sources + std::size_t{warp_of_cta} * work.source_pitch;
  for (unsigned v = lane; v < work.block_bytes / 16; v += 32)
    reinterpret_cast<uint4*>(source)[v] = stamped_vector(work.stamp, v);
  fence_proxy_async_shared_cta();  // each lane's own stores, before the bulk copies read them
  __syncwarp();
  if (lane != 0) return;
  unsigned target = warp % target_count;
  std::size_t offset = std::size_t{warp} * work.blocks_per_warp * work.block_bytes;
  for (int block = 0; block < work.blocks_per_warp; ++block) {
    bulk_store(reinterpret_cast<unsigned char*>(work.targets.at[target]) + offset,
               source,
               work.block_bytes);
    bulk_wait_read<2>();  // three under way, the depth of a combine's send ring
    offset += work.block_bytes;
    if (++target == target_count) target = 0;
  }
  bulk_wait<0>();
#else
  __trap();
#endif
}

}  // namespace

void launch_bulk_store(const BulkStore& work, cudaStream_t stream) {
  cuda_check(cudaFuncSetAttribute(bulk_store_kernel,
                                  cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared_bytes(work))));
  bulk_store_kernel<<<work.cta_count, 32 * work.warps_per_cta, shared_bytes(work), stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
