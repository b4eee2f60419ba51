// rank_barrier: one warp on each GPU meets the others, so that what follows starts together.
#pragma once

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

inline constexpr int kBarrierSlotInts = 32;  // a slot of 128 bytes for each pair of ranks

struct RankBarrier {
  Peers<int> slots;  // kMostRanks * kBarrierSlotInts ints on each rank, zeroed once
  int rank;
  int rank_count;
  int epoch;        // greater at every use; never 0
  const int* gate;  // nullptr, or a host word that must reach gate_value first
  int gate_value;
};

void launch_rank_barrier(const RankBarrier& barrier, cudaStream_t stream);

}  // namespace epsim::kernels
