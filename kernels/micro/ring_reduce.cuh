// ring_reduce: the receive phase of a combine by itself, on one GPU, with any depth of its ring.
//
// Slot k * token_count + t holds the row that token t chose as its k-th, laid out as in a combine's
// receive buffer. The choice tables come from the caller.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/low_latency/combine_fence.cuh"

namespace epsim::kernels {

struct RingReduce {
  std::uint8_t* slots;             // [top_k][token_count], ring_slot_bytes(row_bytes) apart
  const std::int64_t* expert_ids;  // [token_count][top_k]: k
  const float* weights;            // [token_count][top_k]
  std::uint16_t* output;           // BF16: [token_count][row_bytes / 2]
  std::uint64_t* loader_cycles;    // [cta_count][groups]: time of the load warp
  int row_bytes;                   // a multiple of 1024
  int token_count;
  int top_k;
  int depth;  // 1 to kMostRingDepth
  int cta_count;
};

inline constexpr int kMostRingDepth = 8;

// A slot of a combine for rows of this size: room for LogFMT's ranges, then the row.
constexpr std::size_t ring_slot_bytes(int row_bytes) {
  return std::size_t(row_bytes) + std::size_t(row_bytes / 64);
}
// Groups of one load warp and its decode warps in a CTA of 32 warps: two, or one for long rows.
[[nodiscard]] int ring_groups(int row_bytes);
// Whether an SM of the current GPU has the shared memory.
[[nodiscard]] bool ring_fits(int row_bytes, int depth);

constexpr std::int64_t bytes_moved(const RingReduce& work) {
  return std::int64_t{work.token_count} * (work.top_k + 1) * work.row_bytes;
}

void launch_ring_reduce(const RingReduce& work, CombineFence fence, cudaStream_t stream);

// What the oracle writes into slots and expects in outputs. Up to 8 choices every sum is exact in
// BF16: weights are 1, 1/2 and 1/4 in turn, rows are whole numbers from -7 to 7.
void launch_fill_ring_slots(const RingReduce& work, cudaStream_t stream);
void launch_fill_ring_choices(const RingReduce& work,
                              std::int64_t* expert_ids,
                              float* weights,
                              cudaStream_t stream);
void launch_count_wrong_sums(const RingReduce& work,
                             unsigned long long* wrong,
                             cudaStream_t stream);

}  // namespace epsim::kernels
