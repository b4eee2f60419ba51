// combine_fence_names: placements of a combine's fences as points and models write them: P0,
// P1b+P4.
#pragma once

#include <span>
#include <string_view>

#include "kernels/low_latency/combine_fence.cuh"

namespace epsim {

struct CombineFenceName {
  std::string_view text;
  kernels::CombineFence fence;
};

// In the order of the enumeration. P7 is not among them: it is two launches.
[[nodiscard]] std::span<const CombineFenceName> combine_fence_names();
// Throw Bug for what is not in the table.
[[nodiscard]] kernels::CombineFence combine_fence(std::string_view text);

}  // namespace epsim
