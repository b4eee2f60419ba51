// all_to_all: every rank stores its rows, packed by target, into the receive buffers of all ranks.
//
// Counts and offsets are read from device memory, so a captured launch serves any routing. The
// byte kernel is the protocol's reference: its grid covers the worst case and most of its threads
// find nothing to do. The vector kernel is ours: a fixed number of CTAs, which an SM split may
// bound, share out exactly the bytes that there are.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

struct AllToAll {
  const std::uint8_t* source;   // rows in order of their target, 16-byte aligned
  Peers<std::uint8_t> targets;  // receive buffer of each rank
  const int* send_offsets;      // [rank_count]: first row for each target, in `source`
  const int* send_counts;       // [rank_count]: rows for each target, already cut to its capacity
  const int* receive_offsets;   // [rank_count]: row of the target's buffer where ours begin
  int rank;
  int rank_count;
  int row_bytes;  // a multiple of 16
  int most_rows;  // for one target; sizes the byte kernel's grid
};

// Least traffic when `rows` rows go out: each is read once and written once.
constexpr std::int64_t bytes_moved(const AllToAll& work, std::int64_t rows) {
  return 2 * rows * work.row_bytes;
}

void launch_all_to_all_bytes(const AllToAll& work, cudaStream_t stream);
void launch_all_to_all_vectors(const AllToAll& work, int cta_count, cudaStream_t stream);

}  // namespace epsim::kernels
