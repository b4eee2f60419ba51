// kv_gather on the CPU: what a slot must hold, and how many rows of a slot are not the request's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace epsim::kernels {

// 16 bytes, as uint4 but without a CUDA header.
struct alignas(16) PayloadVector {
  std::uint32_t x, y, z, w;
  friend bool operator==(const PayloadVector&, const PayloadVector&) = default;
};

struct KvGatherInput {
  std::span<const PayloadVector> source;  // region r begins at r * region_vectors
  std::size_t region_vectors;
  std::span<const int> row_ids;  // one a region
  std::size_t vectors_per_row;
  int generation;
};

// A source in which no two vectors are alike: region and place in the region are in each.
[[nodiscard]] std::vector<PayloadVector> kv_source(std::size_t regions, std::size_t region_vectors);

[[nodiscard]] std::vector<PayloadVector> kv_gather_reference(const KvGatherInput& input);

// Rows of `slot` in which some vector does not carry `generation`.
[[nodiscard]] int stale_row_count(std::span<const PayloadVector> slot,
                                  std::size_t vectors_per_row,
                                  int generation);

}  // namespace epsim::kernels
