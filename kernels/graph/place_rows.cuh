// place_rows: from the counts of all ranks, where this rank's rows land and what it will receive.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/graph/exchange_shape.cuh"

namespace epsim::kernels {

struct PlaceRows {
  const int* matrix;  // [rank_count][rank_count] of this rank: rows of each source for each target
  int rank;
  int rank_count;
  int most_rows;         // that one rank may send
  int capacity;          // rows that each rank keeps
  bool may_drop;         // whether rows above the capacity are dropped; else they are an error
  int* send_counts;      // out, [rank_count]: rows for each target that it keeps
  int* receive_offsets;  // out, [rank_count]: where they begin there
  int* receive_counts;   // out, [rank_count + 1]: rows kept here of each source; then of all
  ExchangeStatus* status;
};

constexpr std::int64_t bytes_moved(const PlaceRows& work) {
  const std::int64_t ranks = work.rank_count;
  return (ranks * ranks + 3 * ranks + 1) * std::int64_t{sizeof(int)};
}

void launch_place_rows(const PlaceRows& work, cudaStream_t stream);

}  // namespace epsim::kernels
