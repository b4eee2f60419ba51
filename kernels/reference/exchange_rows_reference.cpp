#include "kernels/reference/exchange_rows_reference.hpp"

#include <cstddef>

namespace epsim::kernels {

std::vector<RowStamp> exchanged_rows(int rank,
                                     int rank_count,
                                     std::int64_t pair_stride,
                                     std::int64_t vectors_per_pair) {
  constexpr std::uint32_t kPoison = 0x01010101U * kPoisonByte;
  std::vector<RowStamp> rows(static_cast<std::size_t>(rank_count * pair_stride),
                             {kPoison, kPoison, kPoison, kPoison});
  for (int source = 0; source < rank_count; ++source)
    for (std::int64_t v = 0; v < vectors_per_pair; ++v)
      rows[static_cast<std::size_t>(source * pair_stride + v)] = row_stamp(source, rank, v);
  return rows;
}

}  // namespace epsim::kernels
