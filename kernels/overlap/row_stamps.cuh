// row_stamps: writes stamps into a send buffer, and counts what is wrong in a receive buffer. The
// oracle of the exchange at sizes that a host would take seconds to look through.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct RowStamps {
  uint4* rows;  // rank_count parts of `pair_stride` vectors
  int rank;     // whose buffer it is
  int rank_count;
  std::int64_t pair_stride;
  std::int64_t vectors_per_pair;  // of each part, from its beginning
};

// Part t of a send buffer becomes the stamps of rank -> t.
void launch_stamp_rows(const RowStamps& stamps, cudaStream_t stream);

// Adds to *wrong the vectors of a receive buffer that are not the stamps of source -> rank, and
// those behind them, up to pair_stride, that are no longer poison.
void launch_count_wrong_rows(const RowStamps& stamps,
                             unsigned long long* wrong,
                             cudaStream_t stream);

}  // namespace epsim::kernels
