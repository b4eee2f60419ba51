// Launch times: when the host called for what a GPU ran.
#pragma once

#include <vector>

#include "traces/gpu_trace.hpp"

namespace epsim {

struct LaunchTime {
  Instant start, end;    // of the host call
  bool is_told = false;  // the dump has that call
};

// One an activity. What a graph runs has the launch of the graph.
[[nodiscard]] std::vector<LaunchTime> launch_times(const GpuTrace& trace);

// Of the time from `free` to `start`, what passed before the host's call was through. A kernel may
// well begin before the call that launched it returns.
[[nodiscard]] Duration launch_bound_time(Instant free, Instant start, const LaunchTime& launch);

}  // namespace epsim
