// send_rows: the send pipeline of a combine. One warp pushes rows through a few small stages of
// shared memory: bulk load of a block, bulk store of it to wherever it goes.
//
// Only the asynchronous proxy touches the stages, so no proxy fence is needed: a load's completion
// is a barrier's phase, a store's is its bulk group.
#pragma once

#include <cstdint>

#include "kernels/low_latency/streaming_bulk.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {

inline constexpr int kSendStages = 3;
inline constexpr int kMostSendBlockBytes = 2048;

// Blocks of a row must be of one size: half as long where hidden is an odd multiple of 512.
__host__ __device__ constexpr int send_block_bytes(int row_bytes) {
  return row_bytes % kMostSendBlockBytes == 0 ? kMostSendBlockBytes : kMostSendBlockBytes / 2;
}

// One warp's own.
struct SendPipe {
  std::uint8_t* stages;   // kSendStages of them, `pitch` bytes apart
  std::uint64_t* filled;  // a barrier a stage
  int pitch;              // a multiple of 16
  int stage = 0;
  std::uint32_t parities = 0;  // bit s: the phase that `filled[s]` completes next
};

#ifdef EPSIM_HAS_BULK_COPY

// By the whole warp, once.
__device__ __forceinline__ void open_pipe(const SendPipe& pipe, int lane) {
  if (lane < kSendStages) {
    mbarrier_init(pipe.filled + lane, 1);
    fence_mbarrier_init();
  }
  __syncwarp();
}

__device__ __forceinline__ void fill_stage(const SendPipe& pipe,
                                           int stage,
                                           const std::uint8_t* from,
                                           int bytes) {
  mbarrier_arrive_expect(pipe.filled + stage, bytes);
  bulk_load_streaming(pipe.stages + stage * pipe.pitch, from, pipe.filled + stage, bytes);
}

// By the whole warp. On return lane 0 has seen all of the row arrive at `to`.
template <int kPrefetch>
__device__ __forceinline__ void send_row(
    SendPipe& pipe, const std::uint8_t* from, std::uint8_t* to, int row_bytes, int lane) {
  static_assert(kPrefetch >= 1 && kPrefetch < kSendStages);
  const int block_bytes = send_block_bytes(row_bytes);
  const int blocks = row_bytes / block_bytes;
  const auto ahead = [&](int distance) {
    const int stage = pipe.stage + distance;
    return stage < kSendStages ? stage : stage - kSendStages;
  };
  if (lane == 0)
    for (int block = 0; block < kPrefetch && block < blocks; ++block)
      fill_stage(pipe, ahead(block), from + block * block_bytes, block_bytes);
  __syncwarp();
  for (int block = 0; block < blocks; ++block) {
    const int next = block + kPrefetch;
    if (lane == 0 && next < blocks) {
      // The stage to fill was last stored from kSendStages blocks before `next`.
      bulk_wait_read<kSendStages - kPrefetch - 1>();
      fill_stage(pipe, ahead(kPrefetch), from + next * block_bytes, block_bytes);
    }
    __syncwarp();
    mbarrier_wait(pipe.filled + pipe.stage, (pipe.parities >> pipe.stage) & 1U);
    pipe.parities ^= 1U << pipe.stage;
    if (lane == 0)
      bulk_store_streaming(
          to + block * block_bytes, pipe.stages + pipe.stage * pipe.pitch, block_bytes);
    __syncwarp();
    pipe.stage = ahead(1);
  }
  if (lane == 0) bulk_wait<0>();  // not .read: a flag will announce this row
  __syncwarp();
}

#endif

}  // namespace epsim::kernels
