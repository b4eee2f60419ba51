#include "kernels/reference/kv_gather_reference.hpp"

namespace epsim::kernels {

std::vector<PayloadVector> kv_source(std::size_t regions, std::size_t region_vectors) {
  std::vector<PayloadVector> source;
  source.reserve(regions * region_vectors);
  for (std::size_t region = 0; region < regions; ++region)
    for (std::size_t v = 0; v < region_vectors; ++v)
      source.push_back({.x = static_cast<std::uint32_t>(region),
                        .y = static_cast<std::uint32_t>(v),
                        .z = static_cast<std::uint32_t>(region ^ (v << 8)),
                        .w = 0});
  return source;
}

std::vector<PayloadVector> kv_gather_reference(const KvGatherInput& input) {
  std::vector<PayloadVector> slot;
  slot.reserve(input.row_ids.size() * input.vectors_per_row);
  for (std::size_t region = 0; region < input.row_ids.size(); ++region) {
    const std::size_t row = static_cast<std::size_t>(input.row_ids[region]);
    const std::size_t first = region * input.region_vectors + row * input.vectors_per_row;
    for (const PayloadVector& vector : input.source.subspan(first, input.vectors_per_row)) {
      slot.push_back(vector);
      slot.back().w = static_cast<std::uint32_t>(input.generation);
    }
  }
  return slot;
}

int stale_row_count(std::span<const PayloadVector> slot,
                    std::size_t vectors_per_row,
                    int generation) {
  const std::uint32_t expected = static_cast<std::uint32_t>(generation);
  int stale = 0;
  for (std::size_t first = 0; first < slot.size(); first += vectors_per_row) {
    // No early exit: a branch a vector costs more than the rest of the row.
    std::uint32_t difference = 0;
    for (const PayloadVector& vector : slot.subspan(first, vectors_per_row))
      difference |= vector.w ^ expected;
    if (difference != 0) ++stale;
  }
  return stale;
}

}  // namespace epsim::kernels
