// Step split: where the steps of a recorded run begin, told by its annotations or found from what
// repeats.
//
// Names alone cannot tell a step from a layer: both repeat. What sets a step apart is the host,
// which leaves its loop over layers there: it synchronises, or it takes longer than between layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "models/launch_order.hpp"
#include "traces/gpu_trace.hpp"

namespace epsim {

struct StepRange {
  std::size_t first = 0, last = 0;  // of the launch order; `last` is one past the end
};

struct StepSplit {
  std::vector<StepRange> steps;
  std::string evidence;  // "a sentence that says how the steps were told"
  // The steps queue the same kernels on the same streams in the same order.
  bool is_repeating = false;
};

// `step_count` 0: find it. Throws InputError when the dump does not hold that many equal steps.
[[nodiscard]] StepSplit split_steps(const GpuTrace& trace,
                                    const std::vector<QueuedActivity>& order,
                                    std::uint32_t step_count);

}  // namespace epsim
