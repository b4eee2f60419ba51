// RowStamp: 16 bytes that say which rank sent them, to whom, and which they are, so that a receiver
// can tell every wrong, missing or misplaced one.
#pragma once

#include <cstdint>

#include "kernels/overlap/both_sides.hpp"

namespace epsim::kernels {

inline constexpr int kPoisonByte = 0xff;  // no stamp has a word of only ones in front

struct RowStamp {
  std::uint32_t ends, low, high, mixed;
  friend bool operator==(const RowStamp&, const RowStamp&) = default;
};

// Vector `index` of what `source` sends to `target`.
EPSIM_BOTH_SIDES constexpr RowStamp row_stamp(int source, int target, std::int64_t index) {
  const auto ends = static_cast<std::uint32_t>(source * 256 + target + 1);
  const auto low = static_cast<std::uint32_t>(index & 0xffffffff);
  const auto high = static_cast<std::uint32_t>(index >> 32);
  return {ends, low, high, (ends ^ low) * 2654435761U};  // Knuth's multiplier: all bits matter
}

}  // namespace epsim::kernels
