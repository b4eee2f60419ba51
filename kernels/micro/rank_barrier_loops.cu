#include "kernels/micro/rank_barrier_loops.cuh"

#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

static_assert(kRankBarrierThreads >= kMostRanks);

__device__ __forceinline__ void add_relaxed_sys(int* word, int value) {
  asm volatile("red.relaxed.sys.global.add.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}
__device__ __forceinline__ void add_release_sys(int* word, int value) {
  asm volatile("red.release.sys.global.add.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}

constexpr int kTag = 1024;  // any positive number: slots are tags to add and to take

template <bool kFence>
__device__ __forceinline__ void meet_by_slots(const RankBarrierLoops& work) {
  if constexpr (kFence) {
    // Each thread fences for what the whole CTA wrote before: the barrier showed it to the thread.
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < work.rank_count) fence_acq_rel_sys();
  }
  if (const int peer = static_cast<int>(threadIdx.x); peer < work.rank_count) {
    int* const own = work.words.at[work.rank] + peer * kRankBarrierSlotInts;
    add_relaxed_sys(own, kTag);
    add_relaxed_sys(work.words.at[peer] + work.rank * kRankBarrierSlotInts, -kTag);
    if constexpr (kFence)
      spin_until([&] { return load_acquire_sys(own) <= 0; });
    else
      spin_until([&] { return load_relaxed_sys(own) <= 0; });
  }
  __syncthreads();
}

__device__ __forceinline__ void meet_by_sign(const RankBarrierLoops& work, int use) {
  const int word = (use & 1) * kRankBarrierSlotInts;
  const bool is_rising = (use & 2) == 0;
  __syncthreads();
  if (const int peer = static_cast<int>(threadIdx.x); peer < work.rank_count)
    add_release_sys(work.words.at[peer] + word, is_rising ? 1 : -1);
  if (threadIdx.x == 0) {
    // No rank can be two barriers ahead, so nobody changes the word once all have come.
    const int complete = is_rising ? work.rank_count : 0;
    const int* const own = work.words.at[work.rank] + word;
    spin_until([&] { return load_acquire_sys(own) == complete; });
  }
  __syncthreads();
}

template <RankBarrierForm kForm>
__device__ __forceinline__ void meet(const RankBarrierLoops& work, int use) {
  if constexpr (kForm == RankBarrierForm::sign)
    meet_by_sign(work, use);
  else
    meet_by_slots<kForm == RankBarrierForm::meeting_with_fence>(work);
}

// The stamps are written and read by threads other than those which signal, as data would be.
__device__ void leave_stamps(const RankBarrierLoops& work, int value) {
  const int peer = kRankBarrierThreads - 1 - static_cast<int>(threadIdx.x);
  if (peer < work.rank_count) store_relaxed_sys(work.stamps.at[peer] + work.rank, value);
}
__device__ void check_stamps(const RankBarrierLoops& work, int value) {
  const int peer = kRankBarrierThreads - 1 - static_cast<int>(threadIdx.x);
  if (peer >= work.rank_count) return;
  if (load_relaxed_sys(work.stamps.at[work.rank] + peer) < value) atomicAdd(work.misses, 1);
}

template <RankBarrierForm kForm, bool kStamps>
__global__ void __launch_bounds__(kRankBarrierThreads, 1)
    rank_barrier_loops_kernel(const __grid_constant__ RankBarrierLoops work) {
  int use = work.first_use;
  for (int sample = 0; sample < work.sample_count; ++sample) {
    const std::uint64_t begin = cycle_counter();
    for (int repeat = 0; repeat < work.repeat_count; ++repeat, ++use) {
      if constexpr (kStamps) leave_stamps(work, use - work.first_use + 1);
      meet<kForm>(work, use);
      if constexpr (kStamps) check_stamps(work, use - work.first_use + 1);
    }
    const std::uint64_t end = cycle_counter();
    if (threadIdx.x == 0) work.cycles[sample] = end - begin;
  }
}

template <RankBarrierForm kForm>
void launch_form(const RankBarrierLoops& work, cudaStream_t stream) {
  if (work.misses == nullptr)
    rank_barrier_loops_kernel<kForm, false><<<1, kRankBarrierThreads, 0, stream>>>(work);
  else
    rank_barrier_loops_kernel<kForm, true><<<1, kRankBarrierThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace

void launch_rank_barrier_loops(const RankBarrierLoops& work, cudaStream_t stream) {
  switch (work.form) {
    case RankBarrierForm::meeting:
      return launch_form<RankBarrierForm::meeting>(work, stream);
    case RankBarrierForm::meeting_with_fence:
      return launch_form<RankBarrierForm::meeting_with_fence>(work, stream);
    case RankBarrierForm::sign:
      return launch_form<RankBarrierForm::sign>(work, stream);
  }
}

}  // namespace epsim::kernels
