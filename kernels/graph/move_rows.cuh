// move_rows: rows into the order in which they are sent (pack), and back to where they came from
// (unpack). Row counts are read from device memory.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/graph/exchange_shape.cuh"

namespace epsim::kernels {

struct PackRows {
  const uint4* rows;
  int rows_per_source;   // row i is a copy of rows[i / rows_per_source]: K of a dispatch, else 1
  const int* order;      // the row that is sent at each place
  const int* row_count;  // device word: places
  int most_rows;
  int row_vectors;         // 16-byte vectors in a row
  const RowLabel* labels;  // a combine: labels as received; nullptr: made of the three below
  const int* experts;
  const float* weights;
  int rank;
  uint4* packed_rows;       // out
  RowLabel* packed_labels;  // out
};

struct UnpackRows {
  const uint4* rows;
  const RowLabel* labels;
  const int* row_count;  // device word
  int most_rows;
  int row_vectors;
  int target_rows;  // labels name rows below this
  uint4* target;
  ExchangeStatus* status;
};

// Each row read once and written once, with its label.
constexpr std::int64_t bytes_moved(const PackRows& work) {
  return std::int64_t{work.most_rows} * 32 * (work.row_vectors + 1);
}
constexpr std::int64_t bytes_moved(const UnpackRows& work) {
  return std::int64_t{work.most_rows} * 16 * (2 * work.row_vectors + 1);
}

void launch_pack_rows(const PackRows& work, cudaStream_t stream);
void launch_unpack_rows(const UnpackRows& work, cudaStream_t stream);

}  // namespace epsim::kernels
