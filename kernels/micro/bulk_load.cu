#include "kernels/cuda_check.hpp"
#include "kernels/micro/bulk_load.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

#ifdef EPSIM_HAS_BULK_COPY
// Walks a CTA's blocks by addition: a remainder of 64 bits would show in a load's latency.
struct BlockWalk {
  std::int64_t block, step, count;

  __device__ __forceinline__ std::int64_t next() {
    const std::int64_t current = block;
    block += step;
    if (block >= count) block -= count;
    return current;
  }
};

// Every lane compares its share of a stage with the stamps, then hands the stage back to the
// asynchronous proxy.
__device__ void check_stage(const BulkLoad& work, const unsigned char* stage, std::int64_t block) {
  const unsigned vectors = static_cast<unsigned>(work.block_bytes) / 16;
  const unsigned first = static_cast<unsigned>(block) * vectors;
  unsigned long long right = 0;
  for (unsigned v = threadIdx.x; v < vectors; v += 32) {
    const uint4 found = reinterpret_cast<const uint4*>(stage)[v];
    const uint4 expected = stamped_vector(work.stamp, first + v);
    right += found.x == expected.x && found.y == expected.y && found.z == expected.z &&
             found.w == expected.w;
  }
  atomicAdd(work.right, right);
  fence_proxy_async_shared_cta();
  __syncwarp();
}
#endif

__global__ void __launch_bounds__(32) bulk_load_kernel(const __grid_constant__ BulkLoad work) {
#ifdef EPSIM_HAS_BULK_COPY
  extern __shared__ __align__(128) unsigned char stages[];
  __shared__ std::uint64_t full[kMostBulkStages];
  if (threadIdx.x == 0) {
    for (int stage = 0; stage < work.stages; ++stage) mbarrier_init(full + stage, 1);
    fence_mbarrier_init();
  }
  __syncwarp();
  const std::int64_t first = (work.first_block + blockIdx.x) % work.block_count;
  BlockWalk issued{first, work.cta_count, work.block_count}, arrived = issued;
  const auto issue = [&](int stage) {
    const std::int64_t block = issued.next();
    if (threadIdx.x != 0) return;
    mbarrier_arrive_expect(full + stage, work.block_bytes);
    bulk_load(stages + stage * work.block_bytes,
              reinterpret_cast<const unsigned char*>(work.source) + block * work.block_bytes,
              full + stage,
              work.block_bytes);
  };
  std::uint64_t begin = cycle_counter();
  for (int load = 0; load < work.stages && load < work.loads_per_cta; ++load) issue(load);
  int stage = 0;
  unsigned phase = 0;
  for (int load = 0; load < work.loads_per_cta; ++load) {
    mbarrier_wait(full + stage, phase);
    if (work.load_cycles != nullptr && threadIdx.x == 0)
      work.load_cycles[std::int64_t{blockIdx.x} * work.loads_per_cta + load] =
          static_cast<std::int64_t>(cycle_counter() - begin);
    const std::int64_t block = arrived.next();
    if (work.right != nullptr)
      check_stage(work, stages + stage * work.block_bytes, block);
    else
      __syncwarp();  // every lane saw the stage full before it is filled again
    begin = cycle_counter();
    if (load + work.stages < work.loads_per_cta) issue(stage);
    if (++stage == work.stages) {
      stage = 0;
      phase ^= 1;
    }
  }
#else
  __trap();
#endif
}

}  // namespace

void launch_bulk_load(const BulkLoad& work, cudaStream_t stream) {
  if (work.stages < 1 || work.stages > kMostBulkStages || work.block_count < work.cta_count)
    throw CudaError("bulk_load has 1 to kMostBulkStages stages, and a block for each CTA");
  const int shared = work.stages * work.block_bytes;
  cuda_check(
      cudaFuncSetAttribute(bulk_load_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared));
  bulk_load_kernel<<<work.cta_count, 32, static_cast<std::size_t>(shared), stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
