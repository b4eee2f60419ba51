#include "traces/launch_times.hpp"

#include <algorithm>

namespace epsim {

std::vector<LaunchTime> launch_times(const GpuTrace& trace) {
  std::vector<const HostCall*> launches;
  for (const HostCall& call : trace.calls)
    if (call.kind == HostCallKind::launch && call.correlation != 0) launches.push_back(&call);
  // Where two calls have one correlation, a runtime call inside a driver call, the first counts.
  std::stable_sort(launches.begin(), launches.end(), [](const HostCall* a, const HostCall* b) {
    return a->correlation < b->correlation;
  });
  std::vector<LaunchTime> times(trace.activities.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::uint64_t correlation = trace.activities[i].correlation;
    const auto found = std::lower_bound(
        launches.begin(), launches.end(), correlation, [](const HostCall* call, std::uint64_t id) {
          return call->correlation < id;
        });
    if (correlation == 0 || found == launches.end() || (*found)->correlation != correlation)
      continue;
    times[i] = {(*found)->start, (*found)->start + (*found)->time, true};
  }
  return times;
}

Duration launch_bound_time(Instant free, Instant start, const LaunchTime& launch) {
  if (!launch.is_told) return {};
  return std::max(Duration{}, std::min(launch.end, start) - free);
}

}  // namespace epsim
