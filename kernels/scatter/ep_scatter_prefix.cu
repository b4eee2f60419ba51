#include "kernels/cuda_check.hpp"
#include "kernels/scatter/ep_scatter_prefix.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int kMostExpertsPerThread = kMostScatterExperts / kThreads;

// Neighbouring experts lie in one thread: two each above 256 experts, else one.
__device__ __forceinline__ int experts_per_thread(int expert_count) {
  return expert_count > kThreads ? kMostExpertsPerThread : 1;
}

// What a thread holds of the prefix sums; slots past the experts hold the total.
struct OwnStarts {
  int first_expert;
  int count;
  int start[kMostExpertsPerThread];
};

__device__ __forceinline__ int warp_sum(int value) {
  for (int distance = 16; distance > 0; distance /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

// Exclusive prefix sums over all experts, in registers. Its barriers come before any start exists
// in memory, so they order nothing of the race.
__device__ OwnStarts scan_counts(const EpScatterPrefix& work, int* warp_totals) {
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32, warp = thread / 32;
  const int per_thread = experts_per_thread(work.expert_count);
  OwnStarts own{thread * per_thread, per_thread, {}};
  int total = 0;
#pragma unroll
  for (int i = 0; i < kMostExpertsPerThread; ++i) {
    const int expert = own.first_expert + i;
    own.start[i] = total;
    if (i < per_thread && expert < work.expert_count) total += work.counts[expert];
  }
  int inclusive = total;
  for (int distance = 1; distance < 32; distance *= 2) {
    const int below = __shfl_up_sync(0xffffffffu, inclusive, distance);
    if (lane >= distance) inclusive += below;
  }
  if (lane == 31) warp_totals[warp] = inclusive;
  __syncthreads();
  int before = inclusive - total;
  for (int w = 0; w < warp; ++w) before += warp_totals[w];
#pragma unroll
  for (int i = 0; i < kMostExpertsPerThread; ++i) own.start[i] += before;
  return own;
}

__device__ __forceinline__ void store_starts(const EpScatterPrefix& work, const OwnStarts& own) {
#pragma unroll
  for (int i = 0; i < kMostExpertsPerThread; ++i) {
    const int expert = own.first_expert + i;
    if (i < own.count && expert < work.expert_count) work.starts[expert] = own.start[i];
  }
}

// The start of `expert` where this thread holds it, else 0.
__device__ __forceinline__ int held_start(const OwnStarts& own, int expert) {
  int held = 0;
#pragma unroll
  for (int i = 0; i < kMostExpertsPerThread; ++i)
    if (i < own.count && own.first_expert + i == expert) held = own.start[i];
  return held;
}

__device__ __forceinline__ void delay_storing_warp(const EpScatterPrefix& work, int expert) {
  const int owner = expert / experts_per_thread(work.expert_count);
  if (work.storing_warp_delay_ns > 0 && static_cast<int>(threadIdx.x) / 32 == owner / 32)
    __nanosleep(static_cast<unsigned int>(work.storing_warp_delay_ns));
}

// Sum over the CTA of values of which one at most is not 0; every thread gets it.
__device__ __forceinline__ int block_sum(int value, int* partial_sums) {
  const int sum = warp_sum(value);
  if (threadIdx.x % 32 == 0) partial_sums[threadIdx.x / 32] = sum;
  __syncthreads();
  int total = 0;
  for (int w = 0; w < kWarps; ++w) total += partial_sums[w];
  return total;
}

// The start is checked and not trusted: a stale one would write outside of row_experts.
__device__ __forceinline__ void fill_rows(const EpScatterPrefix& work, int expert, int start) {
  const int count = work.counts[expert];
  if (start < 0 || start > work.row_capacity - count) {
    work.stale_reads[expert] = 1;
    return;
  }
  for (int row = static_cast<int>(threadIdx.x); row < count; row += kThreads)
    work.row_experts[start + row] = expert;
}

template <EpScatterVariant V>
__global__ void __launch_bounds__(kThreads)
    ep_scatter_prefix_kernel(const __grid_constant__ EpScatterPrefix work) {
  __shared__ int warp_totals[kWarps];
  __shared__ int partial_sums[kWarps];
  __shared__ int shared_start;
  const int expert = work.first_expert + static_cast<int>(blockIdx.x);
  const OwnStarts own = scan_counts(work, warp_totals);
  delay_storing_warp(work, expert);

  int start = 0;
  if constexpr (V == EpScatterVariant::racy || V == EpScatterVariant::barrier) {
    store_starts(work, own);
    // Enough for V1: writer and reader are in one CTA; the other CTAs write the same number.
    if constexpr (V == EpScatterVariant::barrier) __syncthreads();
    start = work.starts[expert];
  } else if constexpr (V == EpScatterVariant::block_sum) {
    store_starts(work, own);
    start = block_sum(held_start(own, expert), partial_sums);
  } else if constexpr (V == EpScatterVariant::block_sum_own) {
    start = block_sum(held_start(own, expert), partial_sums);
    if (threadIdx.x == 0) work.starts[expert] = start;
  } else {
    static_assert(V == EpScatterVariant::shared_broadcast);
    const int owner = expert / experts_per_thread(work.expert_count);
    if (static_cast<int>(threadIdx.x) == owner) {
      shared_start = held_start(own, expert);
      work.starts[expert] = shared_start;
    }
    __syncthreads();
    start = shared_start;
  }
  fill_rows(work, expert, start);
}

// V4, first kernel: one CTA.
__global__ void __launch_bounds__(kThreads)
    ep_scatter_starts_kernel(const __grid_constant__ EpScatterPrefix work) {
  __shared__ int warp_totals[kWarps];
  const OwnStarts own = scan_counts(work, warp_totals);
  delay_storing_warp(work, work.first_expert);
  store_starts(work, own);
}
// V4, second kernel: one CTA an expert. The boundary between the kernels orders store and load.
__global__ void __launch_bounds__(kThreads)
    ep_scatter_fill_kernel(const __grid_constant__ EpScatterPrefix work) {
  const int expert = work.first_expert + static_cast<int>(blockIdx.x);
  fill_rows(work, expert, work.starts[expert]);
}

template <EpScatterVariant V>
void launch_one_kernel(const EpScatterPrefix& work, cudaStream_t stream) {
  ep_scatter_prefix_kernel<V>
      <<<static_cast<unsigned int>(work.cta_count), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace

void launch_ep_scatter_prefix(EpScatterVariant variant,
                              const EpScatterPrefix& work,
                              cudaStream_t stream) {
  if (work.expert_count < 1 || work.expert_count > kMostScatterExperts || work.cta_count < 1 ||
      work.first_expert < 0 || work.cta_count > work.expert_count - work.first_expert)
    throw CudaError("ep_scatter_prefix: experts or CTAs are out of range");
  switch (variant) {
    case EpScatterVariant::racy:
      return launch_one_kernel<EpScatterVariant::racy>(work, stream);
    case EpScatterVariant::barrier:
      return launch_one_kernel<EpScatterVariant::barrier>(work, stream);
    case EpScatterVariant::block_sum:
      return launch_one_kernel<EpScatterVariant::block_sum>(work, stream);
    case EpScatterVariant::block_sum_own:
      return launch_one_kernel<EpScatterVariant::block_sum_own>(work, stream);
    case EpScatterVariant::shared_broadcast:
      return launch_one_kernel<EpScatterVariant::shared_broadcast>(work, stream);
    case EpScatterVariant::two_kernels:
      ep_scatter_starts_kernel<<<1, kThreads, 0, stream>>>(work);
      cuda_check_launch();
      ep_scatter_fill_kernel<<<static_cast<unsigned int>(work.cta_count), kThreads, 0, stream>>>(
          work);
      cuda_check_launch();
  }
}

}  // namespace epsim::kernels
