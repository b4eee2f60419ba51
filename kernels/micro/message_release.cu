#include "kernels/cuda_check.hpp"
#include "kernels/micro/message_release.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kUnroll = 8;

// A warp copies `count` vectors: whole trips of kUnroll vectors a lane, then one guarded trip.
__device__ __forceinline__ void copy_message(uint4* to, const uint4* from, int count, int lane) {
  uint4 v[kUnroll];
  int i = lane;
  for (; i + 32 * (kUnroll - 1) - lane + 32 <= count; i += 32 * kUnroll) {
#pragma unroll
    for (int j = 0; j < kUnroll; ++j) v[j] = load_streaming(from + i + 32 * j);
#pragma unroll
    for (int j = 0; j < kUnroll; ++j) store_streaming(to + i + 32 * j, v[j]);
  }
#pragma unroll
  for (int j = 0; j < kUnroll; ++j)
    if (i + 32 * j < count) v[j] = load_streaming(from + i + 32 * j);
#pragma unroll
  for (int j = 0; j < kUnroll; ++j)
    if (i + 32 * j < count) store_streaming(to + i + 32 * j, v[j]);
}

__device__ __forceinline__ void release(const MessageRelease& work, int warp, int message) {
  if (work.kind == ReleaseKind::add_gpu)
    add_release_gpu(work.release_words + warp, 1);
  else
    store_release_sys(work.release_words + warp, message + 1);
}

__global__ void __launch_bounds__(32 * kMostMessageWarps)
    message_release_kernel(const __grid_constant__ MessageRelease work) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32);
  int* counter = work.slot_counters + warp % kMessageCounters;
  for (int message = 0; message < work.message_count; ++message) {
    const std::size_t slot =
        std::size_t(warp) * kMessageSlots + std::size_t(message % kMessageSlots);
    uint4* to = work.target + slot * kMessageSlotVectors;
    const uint4* from = work.source + std::size_t(source_row(warp, message)) * kMessageSlotVectors;

    const std::uint64_t begin = cycle_counter();
    int taken = 0;
    if (lane == 0) taken = atomicAdd(counter, 1);
    taken = __shfl_sync(0xffffffffU, taken, 0);
    if (taken < 0) return;  // never; but the clock below must wait for the atomic to come back
    const std::uint64_t has_slot = cycle_counter();
    copy_message(to, from, work.message_bytes / 16, lane);
    __syncwarp();
    const std::uint64_t copied = cycle_counter();
    if (lane == 0) release(work, warp, message);
    __syncwarp();
    const std::uint64_t released = cycle_counter();

    if (lane == 0) {
      std::int64_t* cycles =
          work.cycles + (std::size_t(warp) * std::size_t(work.message_count) + message) * 3;
      cycles[0] = static_cast<std::int64_t>(has_slot - begin);
      cycles[1] = static_cast<std::int64_t>(copied - has_slot);
      cycles[2] = static_cast<std::int64_t>(released - copied);
    }
    // So that the next message finds no store of this one under way.
    fence_acq_rel_sys();
    __syncwarp();
  }
}

}  // namespace

void launch_message_release(const MessageRelease& work, cudaStream_t stream) {
  message_release_kernel<<<work.cta_count, 32 * work.warps_per_cta, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
