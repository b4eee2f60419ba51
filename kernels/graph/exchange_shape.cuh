// exchange_shape: what the kernels and the host of a graph-capturable exchange agree on.
//
// R ranks, T tokens a rank, K choices a token. Every (token, choice) is a row of its own, so a rank
// sends at most T * K rows; what the protocol knows as K = 1 is the plain case. A rank keeps at
// most `capacity` received rows, in order of their source rank and, within it, of their place at
// the source.
#pragma once

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

// Travels with its row, there and back. 16 bytes, so that labels are copied as rows are.
struct alignas(16) RowLabel {
  int source_rank;
  int source_row;  // token * K + choice
  int expert;
  float weight;
};

// Bits of ExchangeStatus::error. They stay set until the host clears them.
inline constexpr int kExpertOutOfRange = 1;  // that row went nowhere
inline constexpr int kCountOutOfRange = 2;   // a count no rank can have; taken as 0
inline constexpr int kRowsExceedBuffer = 4;  // more rows came back than were sent; not written
inline constexpr int kLabelOutOfRange = 8;   // a label named no row of this rank; not written

inline constexpr int kMaskedExpert = -1;  // a choice that goes nowhere, and is no error

struct ExchangeStatus {
  int error;
  int dropped_rows;  // above the capacity of this rank, of all dispatches since cleared
};

// A count as it may be used: `most` is what a rank can send.
__host__ __device__ inline bool is_possible_count(int count, int most) {
  return count >= 0 && count <= most;
}

// Where a source's rows begin at `target`: behind those of all sources before it. `matrix` holds
// the counts, [source][target].
__host__ __device__ inline int rows_before(
    const int* matrix, int rank_count, int most, int source, int target) {
  int rows = 0;
  for (int before = 0; before < source; ++before) {
    const int count = matrix[before * rank_count + target];
    if (is_possible_count(count, most)) rows += count;
  }
  return rows;
}

// How many of `count` rows that begin at row `first` lie below the capacity.
__host__ __device__ inline int rows_kept(int first, int count, int capacity) {
  const int room = capacity > first ? capacity - first : 0;
  return count < room ? count : room;
}

}  // namespace epsim::kernels
