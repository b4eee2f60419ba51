// What an exchange of rows leaves in a receive buffer, computed without a GPU.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/overlap/row_stamp.hpp"

namespace epsim::kernels {

// The receive buffer of `rank`, poisoned before: rank_count parts of `pair_stride` vectors, by
// source; the first `vectors_per_pair` of each part are the source's stamps for `rank`.
[[nodiscard]] std::vector<RowStamp> exchanged_rows(int rank,
                                                   int rank_count,
                                                   std::int64_t pair_stride,
                                                   std::int64_t vectors_per_pair);

}  // namespace epsim::kernels
