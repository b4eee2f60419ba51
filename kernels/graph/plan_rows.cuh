// plan_rows: which rank each row goes to, how many go to each, and in what order they are sent.
//
// The order is by target and, within a target, that of the rows: the same at every call. One CTA
// does it all, since a second launch would cost more than a second CTA could save.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/graph/exchange_shape.cuh"

namespace epsim::kernels {

struct PlanRows {
  const int* keys;       // a dispatch: the expert of each row; a combine: its label's source_rank
  int key_stride;        // ints from one row's key to the next one's
  int keys_per_rank;     // target = key / keys_per_rank
  const int* row_count;  // device word, or nullptr: all of most_rows
  int most_rows;
  int rank_count;
  int error;     // the bit for a key that no rank has
  int* order;    // out, [most_rows]: the row that is sent at each place
  int* counts;   // out, [rank_count]: rows for each target; peers read this
  int* offsets;  // out, [rank_count + 1]: first place of each target; then all places
  ExchangeStatus* status;
};

// Each key read twice at most from cache, once from memory; each place written once.
constexpr std::int64_t bytes_moved(const PlanRows& work) {
  return std::int64_t{work.most_rows} * 2 * std::int64_t{sizeof(int)};
}

void launch_plan_rows(const PlanRows& work, cudaStream_t stream);

}  // namespace epsim::kernels
