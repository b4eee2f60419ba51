// LowLatencyCombine: experts' rows go back to their tokens' ranks, which add them up by weight.
//
// Send: warp group x owns the pair (rank x / E_l, local expert x % E_l); its warps push that pair's
// rows into the rank's receive buffer, by global expert and source token, and then one thread
// raises the rank's flag of the global expert. Receive: group x waits for flag x of its own rank;
// after a grid sync, groups of one load warp and H / 512 decode warps reduce a token at a time
// through a ring of shared memory.
//
// Every rank sends all its flags in every call, so a flag carries the generation of its call and
// nothing is cleaned. A second call with the same receive buffer and flags must come after all
// ranks have received the first: behind a dispatch of the same ranks, or a rank barrier.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/low_latency/combine_fence.cuh"
#include "kernels/low_latency/shape.cuh"
#include "kernels/peers.cuh"

namespace epsim::kernels {

// How far the stages of the rings lie apart in shared memory.
enum class StagePitch {
  packed,   // 16 or 32 bytes between stages, as in DeepEP: few stages begin at a 128-byte line
  aligned,  // every stage begins at a 128-byte line
};

struct LowLatencyCombine {
  LowLatencyShape shape;
  const std::uint8_t* rows;        // expert outputs, BF16: [E_l][R * T_max][H]
  ExpertInput source;              // of the dispatch; source_token and source_range are read
  const std::int64_t* expert_ids;  // [T][K], -1 where there is none
  const float* weights;            // [T][K]
  Peers<std::uint8_t> receive;     // combine_receive_bytes on each rank, at 16-byte boundaries
  Peers<int> flags;                // [E] on each rank, zeroed once
  std::uint16_t* output;           // BF16: [T][H]; a token without any expert becomes zeros
  int generation;                  // 1 to kMostGenerations, another one than the call before
};

// Least traffic of this rank: each chosen row is sent once and read once, each output written once.
// `row_count`: choices of this rank's tokens that are not -1.
constexpr std::int64_t bytes_moved(const LowLatencyCombine& work, std::int64_t row_count) {
  return (3 * row_count + work.shape.token_count) * std::int64_t{2} * work.shape.hidden;
}

// Throws CudaError where the shape asks for more than an SM has, or the GPU has no bulk copies.
void launch_low_latency_combine(const LowLatencyCombine& work,
                                CombineFence fence,
                                StagePitch pitch,
                                LaunchHalf half,
                                cudaStream_t stream);

}  // namespace epsim::kernels
