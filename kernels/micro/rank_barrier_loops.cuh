// rank_barrier_loops: barriers between GPUs, over and over, in the two forms that expert-parallel
// libraries use. Both leave words which the next barrier can use as they are.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

enum class RankBarrierForm {
  // A slot for each pair of ranks: add a tag to the own slot and take one from the peer's, then
  // wait until no own slot is positive. A slot is the number of barriers by which its peer is
  // behind, in tags; so a peer may run ahead. Orders no memory.
  meeting,
  // The same after a system fence of a thread that saw the CTA's writes, with waits that acquire.
  meeting_with_fence,
  // Two words a rank, used in turn. Every rank adds 1 to a word of every rank in one barrier and
  // takes 1 in the next that uses it, so nothing is cleaned: the word goes from 0 to R and back.
  sign,
};

inline constexpr int kRankBarrierThreads = 128;  // at least kMostRanks: a thread serves a peer
inline constexpr int kRankBarrierSlotInts = 32;  // a slot of 128 bytes each

struct RankBarrierLoops {
  RankBarrierForm form;
  int rank;
  int rank_count;
  int sample_count;
  int repeat_count;  // barriers in a sample
  int first_use;     // barriers of this form on these words before, the same on all ranks
  // Words of kMostRanks slots on each rank, zeroed once. Each form needs its own.
  Peers<int> words;
  std::uint64_t* cycles;  // [sample_count] on this rank: of thread 0, for the barriers of a sample
  // All nullptr, or kMostRanks zeroed ints on each rank: then rank r leaves the number of the
  // barrier (from 1) in stamps.at[every rank][r] before it and checks its own after it. The times
  // mean nothing.
  Peers<int> stamps;
  int*
      misses;  // with stamps: one zeroed word, which counts stamps that were older than the barrier
};

// Signals that cross: one word to each peer in each barrier.
constexpr std::int64_t bytes_moved(const RankBarrierLoops& work) {
  return std::int64_t{4} * work.rank_count * work.sample_count * work.repeat_count;
}

// All ranks must run at the same time: their kernels wait for each other.
void launch_rank_barrier_loops(const RankBarrierLoops& work, cudaStream_t stream);

}  // namespace epsim::kernels
