#include "kernels/cuda_check.hpp"
#include "kernels/micro/flag_ping_pong.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

__device__ __forceinline__ void store_volatile(int* word, int value) {
  asm volatile("st.volatile.global.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}
__device__ __forceinline__ int load_volatile(const int* word) {
  int value;
  asm volatile("ld.volatile.global.s32 %0, [%1];" : "=r"(value) : "l"(word) : "memory");
  return value;
}
__device__ __forceinline__ void reduce_release_sys(int* word, int value) {
  asm volatile("red.release.sys.global.add.s32 [%0], %1;" ::"l"(word), "r"(value) : "memory");
}

template <FlagSignal kSignal>
__device__ __forceinline__ void raise(int* flag, int value) {
  if constexpr (kSignal == FlagSignal::release_acquire) store_release_sys(flag, value);
  if constexpr (kSignal == FlagSignal::relaxed_fence) {
    fence_acq_rel_sys();
    store_relaxed_sys(flag, value);
  }
  if constexpr (kSignal == FlagSignal::volatile_word) store_volatile(flag, value);
  if constexpr (kSignal == FlagSignal::reduction) reduce_release_sys(flag, 1);
}

template <FlagSignal kSignal>
__device__ __forceinline__ int read_flag(const int* flag) {
  if constexpr (kSignal == FlagSignal::relaxed_fence) return load_relaxed_sys(flag);
  if constexpr (kSignal == FlagSignal::volatile_word) return load_volatile(flag);
  return load_acquire_sys(flag);
}

template <FlagSignal kSignal>
__device__ __forceinline__ void await(const int* flag, int value) {
  spin_until([&] { return read_flag<kSignal>(flag) >= value; });
  if constexpr (kSignal == FlagSignal::relaxed_fence) fence_acq_rel_sys();
}

template <FlagSignal kSignal>
__device__ void play_round(const FlagPingPong& work, int value) {
  const bool checked = work.own_payload != nullptr;
  if (work.starts) {
    if (checked) store_volatile(work.peer_payload, value);
    raise<kSignal>(work.peer, value);
  }
  await<kSignal>(work.own, value);
  if (checked && load_volatile(work.own_payload) != value) atomicAdd(work.stale_count, 1);
  if (!work.starts) {
    if (checked) store_volatile(work.peer_payload, value);
    raise<kSignal>(work.peer, value);
  }
}

// CTA 0 plays, the others poll. CTA 0 waits for the peer only, so it ends whether or not every
// poller is resident.
template <FlagSignal kSignal>
__global__ void flag_ping_pong_kernel(const __grid_constant__ FlagPingPong work) {
  const int last = last_value(work);
  if (blockIdx.x > 0) {
    await<kSignal>(work.own + blockIdx.x, last);
    return;
  }
  int value = work.first_value;
  for (int sample = 0; sample < work.sample_count; ++sample) {
    const std::uint64_t begin = cycle_counter();
    for (int round = 0; round < work.rounds_per_sample; ++round) play_round<kSignal>(work, ++value);
    const std::uint64_t end = cycle_counter();
    if (work.sample_cycles != nullptr)
      work.sample_cycles[sample] = static_cast<std::int64_t>(end - begin);
  }
  for (int poller = 1; poller <= work.poller_count; ++poller)
    store_relaxed_sys(work.own + poller, last);
}

template <FlagSignal kSignal>
void launch(const FlagPingPong& work, cudaStream_t stream) {
  flag_ping_pong_kernel<kSignal><<<1 + work.poller_count, 1, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace

void launch_flag_ping_pong(const FlagPingPong& work, cudaStream_t stream) {
  switch (work.signal) {
    case FlagSignal::release_acquire:
      return launch<FlagSignal::release_acquire>(work, stream);
    case FlagSignal::relaxed_fence:
      return launch<FlagSignal::relaxed_fence>(work, stream);
    case FlagSignal::volatile_word:
      return launch<FlagSignal::volatile_word>(work, stream);
    case FlagSignal::reduction:
      return launch<FlagSignal::reduction>(work, stream);
  }
}

}  // namespace epsim::kernels
