#include "kernels/micro/barrier_loops.cuh"

#include <cooperative_groups.h>

#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kMostThreads = 1024;
constexpr int kTimedBarrier = 1;  // barrier 0 is __syncthreads()

// One meeting of everybody whom the kind joins. `use` counts the meetings before it.
template <BarrierKind kKind>
__device__ __forceinline__ void meet([[maybe_unused]] std::uint64_t* phase_barrier,
                                     [[maybe_unused]] int use) {
  if constexpr (kKind == BarrierKind::grid) {
    cooperative_groups::this_grid().sync();
  } else if constexpr (kKind == BarrierKind::named) {
    named_barrier(kTimedBarrier, static_cast<int>(blockDim.x));
  } else {
#ifdef EPSIM_HAS_BULK_COPY
    // Lane 0 speaks for its warp only once all its lanes have left the meeting before: else the
    // next phase could complete while one still waits for this parity.
    __syncwarp();
    if (threadIdx.x % 32 == 0) mbarrier_arrive(phase_barrier);
    mbarrier_wait(phase_barrier, static_cast<std::uint32_t>(use & 1));
#else
    __trap();
#endif
  }
}

template <BarrierKind kKind>
__device__ void leave_stamp(const BarrierLoops& work, int value) {
  if constexpr (kKind == BarrierKind::grid) {
    if (threadIdx.x == 0) store_relaxed_sys(work.stamps + blockIdx.x, value);
  } else {
    store_relaxed_sys(work.stamps + threadIdx.x, value);
  }
}

// The neighbour may already have left its next stamp, never an older one.
template <BarrierKind kKind>
__device__ void check_stamp(const BarrierLoops& work, int value) {
  constexpr bool kIsGrid = kKind == BarrierKind::grid;
  if (kIsGrid && threadIdx.x != 0) return;
  const unsigned self = kIsGrid ? blockIdx.x : threadIdx.x;
  const unsigned count = kIsGrid ? gridDim.x : blockDim.x;
  if (load_relaxed_sys(work.stamps + (self + 1) % count) < value) atomicAdd(work.misses, 1);
}

template <BarrierKind kKind, bool kStamps>
__global__ void __launch_bounds__(kMostThreads, 1) barrier_loops_kernel(BarrierLoops work) {
  __shared__ std::uint64_t phase_barrier;
#ifdef EPSIM_HAS_BULK_COPY
  if (kKind == BarrierKind::mbarrier && threadIdx.x == 0) {
    mbarrier_init(&phase_barrier, static_cast<int>(blockDim.x / 32));
    fence_mbarrier_init();
  }
#endif
  __syncthreads();
  int use = 0;
  for (int sample = 0; sample < work.sample_count; ++sample) {
    const std::uint64_t begin = cycle_counter();
    for (int repeat = 0; repeat < work.repeat_count; ++repeat, ++use) {
      if constexpr (kStamps) leave_stamp<kKind>(work, use + 1);
      meet<kKind>(&phase_barrier, use);
      if constexpr (kStamps) check_stamp<kKind>(work, use + 1);
    }
    const std::uint64_t end = cycle_counter();
    if (blockIdx.x == 0 && threadIdx.x == 0) work.cycles[sample] = end - begin;
  }
}

template <BarrierKind kKind>
void launch_kind(const BarrierLoops& work, cudaStream_t stream) {
  auto* const kernel = work.stamps == nullptr ? barrier_loops_kernel<kKind, false>
                                              : barrier_loops_kernel<kKind, true>;
  BarrierLoops argument = work;
  void* arguments[] = {&argument};
  // Cooperative: CTAs that wait for each other are all on the GPU, or the launch fails.
  cuda_check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel),
                                         dim3(static_cast<unsigned>(work.cta_count)),
                                         dim3(static_cast<unsigned>(work.thread_count)),
                                         arguments,
                                         0,
                                         stream));
}

}  // namespace

void launch_barrier_loops(const BarrierLoops& work, cudaStream_t stream) {
  switch (work.kind) {
    case BarrierKind::grid:
      return launch_kind<BarrierKind::grid>(work, stream);
    case BarrierKind::named:
      return launch_kind<BarrierKind::named>(work, stream);
    case BarrierKind::mbarrier:
      return launch_kind<BarrierKind::mbarrier>(work, stream);
  }
}

}  // namespace epsim::kernels
