// clock_skew: how far the clocks of several ranks' traces stand apart, told by their collectives: a
// collective ends on all ranks at nearly the same time, whenever each of them came to it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"
#include "traces/gpu_trace.hpp"

namespace epsim {

struct ClockSkew {
  // Add it to a time of this trace to have it counted from the first trace's epoch, by the first
  // rank's clock. Median over the collectives; 0 for the first trace and where it is refused.
  Duration to_first{};
  // 9 of 10 collectives end within so much of where `to_first` says.
  Duration uncertainty{};
  std::size_t collectives = 0;  // compared
  std::string refusal;          // why the clocks cannot be compared; empty where they can

  [[nodiscard]] bool is_known() const { return refusal.empty(); }
};

using IsCollective = std::function<bool(std::string_view kernel_name)>;

// One for each trace. The k-th kernel of a name on one rank is compared with the k-th of that name
// on the first; `is_collective` says which names count. Refused when names or counts differ, when
// there are fewer than three, and when ends scatter as widely as collectives follow one another:
// then the recordings did not begin at the same one.
//
// Domain: kernels that no rank can leave before all have come. Point-to-point kernels end when
// their own peers are done and widen the uncertainty. A constant difference is assumed: clocks that
// drift apart during the trace show it as uncertainty.
[[nodiscard]] std::vector<ClockSkew> clock_skews(std::span<const GpuTrace> ranks,
                                                 const IsCollective& is_collective);

}  // namespace epsim
