// Launch order: what ran on one GPU in the order in which the host queued it.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "sim/base/units.hpp"
#include "traces/gpu_trace.hpp"

namespace epsim {

inline constexpr std::uint32_t kNoCall = std::numeric_limits<std::uint32_t>::max();

struct QueuedActivity {
  std::uint32_t activity = 0;    // index into GpuTrace::activities
  std::uint32_t call = kNoCall;  // index into GpuTrace::calls of its launch
  Instant called;                // the launch began; without one, the activity did
  Instant queued;                // the launch returned
};

// By `called`; nodes of one graph, which share a call, by start.
[[nodiscard]] std::vector<QueuedActivity> launch_order(const GpuTrace& trace, std::uint32_t device);

}  // namespace epsim
