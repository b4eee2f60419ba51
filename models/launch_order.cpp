#include "models/launch_order.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace epsim {

std::vector<QueuedActivity> launch_order(const GpuTrace& trace, std::uint32_t device) {
  std::vector<std::pair<std::uint64_t, std::uint32_t>> launches;  // correlation, call
  for (std::uint32_t i = 0; i < trace.calls.size(); ++i)
    if (trace.calls[i].kind == HostCallKind::launch)
      launches.emplace_back(trace.calls[i].correlation, i);
  std::sort(launches.begin(), launches.end());

  std::vector<QueuedActivity> order;
  for (std::uint32_t i = 0; i < trace.activities.size(); ++i) {
    const GpuActivity& activity = trace.activities[i];
    if (activity.device != device) continue;
    QueuedActivity queued{.activity = i, .called = activity.start, .queued = activity.start};
    const auto found = std::lower_bound(
        launches.begin(), launches.end(), std::pair{activity.correlation, std::uint32_t{0}});
    if (activity.correlation != 0 && found != launches.end() &&
        found->first == activity.correlation) {
      const HostCall& call = trace.calls[found->second];
      queued.call = found->second;
      queued.called = call.start;
      queued.queued = call.start + call.time;
    }
    order.push_back(queued);
  }
  const auto key = [&](const QueuedActivity& queued) {
    return std::tuple{queued.called, trace.activities[queued.activity].start, queued.activity};
  };
  std::sort(order.begin(), order.end(), [&](const QueuedActivity& a, const QueuedActivity& b) {
    return key(a) < key(b);
  });
  return order;
}

}  // namespace epsim
