// LowLatencyDispatch: every token goes straight to the ranks of its experts, and no count travels
// ahead of the data.
//
// Send: all warps of a CTA but its last cast one token at a time into a message in local memory;
// then warp k copies it to the owner of the token's k-th expert, into a slot that a counter of the
// sender hands out. The last warp counts what the CTA's own experts will get; when that many copies
// are done, one thread publishes the count. Receive: warp group x waits for its count and moves the
// messages to the expert's input.
//
// Every rank publishes all its counts in every call, zeros too, and each carries the generation of
// its call, so nothing is cleaned. A second call with the same receive buffer and counts must come
// after all ranks have received the first: behind a combine of the same ranks, or a rank barrier.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/low_latency/shape.cuh"
#include "kernels/peers.cuh"

namespace epsim::kernels {

enum class RowFormat {
  fp8,   // e4m3, one scale for 128 channels
  bf16,  // as given
};

// What `error` collects, bit by bit. The host looks after the call; the data of other choices hold.
inline constexpr int kExpertOutOfRange = 1;  // an id below -1 or beyond the last expert: skipped
inline constexpr int kTooManyRows = 2;  // more rows than T_max for one expert: the rest skipped

struct LowLatencyDispatch {
  LowLatencyShape shape;
  const std::uint16_t* tokens;     // BF16: [T][H], at a 16-byte boundary
  const std::int64_t* expert_ids;  // [T][K], -1 where there is none
  std::uint8_t* staging;           // T_max messages of this rank
  Peers<std::uint8_t> receive;     // dispatch_receive_bytes on each rank, at 16-byte boundaries
  Peers<int> counts;               // [E] on each rank, by local expert and source; zeroed once
  int* counters;                   // dispatch_counters(shape) of this rank; zeroed for each new
                                   // number of experts
  ExpertInput output;              // rows at a 16-byte boundary
  int* error;                      // of this rank; zeroed by the host
  int generation;                  // 1 to kMostGenerations, another one than the call before
};

// Ints behind `counters`: slots handed out and copies done for each expert, and rows placed for
// each local expert. A call leaves the first two zero, and resets the third before it uses it.
constexpr std::size_t dispatch_counters(const LowLatencyShape& s) {
  return 2 * std::size_t(s.expert_count) + std::size_t(experts_per_rank(s));
}

// Least traffic of this rank: each token read once, and each chosen row sent once, read once and
// written once. `row_count`: choices of this rank's tokens that are not -1.
constexpr std::int64_t bytes_moved(const LowLatencyDispatch& work,
                                   RowFormat format,
                                   std::int64_t row_count) {
  const LowLatencyShape& s = work.shape;
  return std::int64_t{2} * s.token_count * s.hidden +
         3 * row_count * dispatch_message_bytes(s.hidden, format == RowFormat::fp8);
}

// Throws CudaError where the shape or the generation is none that the kernel can serve.
void launch_low_latency_dispatch(const LowLatencyDispatch& work,
                                 RowFormat format,
                                 LaunchHalf half,
                                 cudaStream_t stream);

}  // namespace epsim::kernels
