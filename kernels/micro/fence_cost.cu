#include "kernels/cuda_check.hpp"
#include "kernels/micro/fence_cost.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

template <FenceKind kKind>
__device__ __forceinline__ void fence() {
  if constexpr (kKind == FenceKind::acq_rel_cta) fence_acq_rel_cta();
  if constexpr (kKind == FenceKind::acq_rel_gpu) fence_acq_rel_gpu();
  if constexpr (kKind == FenceKind::acq_rel_sys) fence_acq_rel_sys();
  if constexpr (kKind == FenceKind::sc_gpu) fence_sc_gpu();
  if constexpr (kKind == FenceKind::sc_sys) fence_sc_sys();
#ifdef EPSIM_HAS_BULK_COPY
  if constexpr (kKind == FenceKind::proxy_async) fence_proxy_async();
  if constexpr (kKind == FenceKind::proxy_async_global) fence_proxy_async_global();
  if constexpr (kKind == FenceKind::proxy_async_shared) fence_proxy_async_shared_cta();
#else
  if constexpr (kKind >= FenceKind::proxy_async) __trap();
#endif
}

__device__ __forceinline__ void store_before(const FenceCost& work, unsigned warp, unsigned lane) {
  const unsigned first = warp * kMostFenceStores * 32 + lane;
  for (int j = 0; j < work.stores; ++j) {
    const unsigned index = first + static_cast<unsigned>(j) * 32;
    store_streaming(work.target + index, stamped_vector(work.stamp, index));
  }
}

// Bulk loads that are only there to be under way; nobody reads what they bring.
struct LoadsUnderWay {
  unsigned char* stages;
  std::uint64_t* arrived;

  __device__ __forceinline__ void prepare() const {
#ifdef EPSIM_HAS_BULK_COPY
    mbarrier_init(arrived, 1);
    fence_mbarrier_init();
#else
    __trap();
#endif
  }
  __device__ __forceinline__ void issue(const uint4* source) const {
#ifdef EPSIM_HAS_BULK_COPY
    mbarrier_arrive_expect(arrived, kFenceBulkLoads * kFenceBulkBytes);
    for (int load = 0; load < kFenceBulkLoads; ++load)
      bulk_load(stages + load * kFenceBulkBytes, source, arrived, kFenceBulkBytes);
#endif
  }
  __device__ __forceinline__ void await(unsigned phase) const {
#ifdef EPSIM_HAS_BULK_COPY
    mbarrier_wait(arrived, phase);
#endif
  }
};

template <FenceKind kKind>
__global__ void __launch_bounds__(1024) fence_cost_kernel(const __grid_constant__ FenceCost work) {
  extern __shared__ __align__(128) unsigned char stages[];
  __shared__ std::uint64_t arrived;
  const LoadsUnderWay loads{stages, &arrived};
  const unsigned lane = threadIdx.x % 32, warp_of_cta = threadIdx.x / 32;
  const bool fences = warp_of_cta < static_cast<unsigned>(work.fencing_warps);
  const bool stores = fences != work.neighbours_store;
  const bool loader = threadIdx.x == 0 && work.bulk_source != nullptr;
  std::int64_t* cycles =
      work.fence_cycles + (std::size_t{blockIdx.x} * work.fencing_warps + warp_of_cta) *
                              static_cast<std::size_t>(work.sample_count);
  if (loader) loads.prepare();
  __syncthreads();
  for (int sample = 0; sample < work.sample_count; ++sample) {
    if (stores) store_before(work, blockIdx.x * (blockDim.x / 32) + warp_of_cta, lane);
    if (loader) loads.issue(work.bulk_source);
    __syncthreads();  // all is issued; nothing of it is awaited
    if (fences) {
      const std::uint64_t begin = cycle_counter();
#pragma unroll 1
      for (int i = 0; i < work.fences; ++i) fence<kKind>();
      const std::uint64_t end = cycle_counter();
      if (lane == 0) cycles[sample] = static_cast<std::int64_t>(end - begin);
    }
    __syncthreads();  // nobody drains while another's fence is timed
    if (loader) loads.await(static_cast<unsigned>(sample) % 2);
    fence_acq_rel_sys();  // the next sample begins with nothing under way
    __syncthreads();
  }
}

template <FenceKind kKind>
void launch(const FenceCost& work, cudaStream_t stream) {
  const int shared = work.bulk_source == nullptr ? 0 : kFenceBulkLoads * kFenceBulkBytes;
  fence_cost_kernel<kKind><<<work.cta_count, 32 * work.warps_per_cta, shared, stream>>>(work);
  cuda_check_launch();
}

}  // namespace

void launch_fence_cost(const FenceCost& work, cudaStream_t stream) {
  switch (work.kind) {
    case FenceKind::none:
      return launch<FenceKind::none>(work, stream);
    case FenceKind::acq_rel_cta:
      return launch<FenceKind::acq_rel_cta>(work, stream);
    case FenceKind::acq_rel_gpu:
      return launch<FenceKind::acq_rel_gpu>(work, stream);
    case FenceKind::acq_rel_sys:
      return launch<FenceKind::acq_rel_sys>(work, stream);
    case FenceKind::sc_gpu:
      return launch<FenceKind::sc_gpu>(work, stream);
    case FenceKind::sc_sys:
      return launch<FenceKind::sc_sys>(work, stream);
    case FenceKind::proxy_async:
      return launch<FenceKind::proxy_async>(work, stream);
    case FenceKind::proxy_async_global:
      return launch<FenceKind::proxy_async_global>(work, stream);
    case FenceKind::proxy_async_shared:
      return launch<FenceKind::proxy_async_shared>(work, stream);
  }
}

}  // namespace epsim::kernels
