#include "traces/trace_step.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "traces/launch_times.hpp"

namespace epsim {
namespace {

constexpr std::string_view kStepName = "ProfilerStep#";
constexpr std::size_t kNamesShown = 8;

[[noreturn]] void fail_unknown(const GpuTrace& trace, std::string_view name) {
  std::vector<std::string> known = profiler_steps(trace);
  if (known.empty())
    for (const TraceRange& range : trace.ranges)
      if (std::find(known.begin(), known.end(), trace.names[range.name]) == known.end())
        known.push_back(trace.names[range.name]);
  const std::size_t count = known.size();
  if (count > kNamesShown) known.resize(kNamesShown);
  throw InputError(
      trace.file,
      "",
      fmt::format("expected a range named \"{}\", found {}{}",
                  name,
                  known.empty() ? "no ranges" : fmt::format("{}", fmt::join(known, ", ")),
                  count > known.size() ? ", ..." : ""));
}

}  // namespace

std::vector<std::string> profiler_steps(const GpuTrace& trace) {
  std::vector<std::string> steps;
  for (const TraceRange& range : trace.ranges) {
    const std::string& name = trace.names[range.name];
    if (name.starts_with(kStepName) && std::find(steps.begin(), steps.end(), name) == steps.end())
      steps.push_back(name);
  }
  return steps;
}

GpuTrace step_of(const GpuTrace& trace, std::string_view name) {
  const bool is_number = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
  const std::string wanted = is_number ? fmt::format("{}{}", kStepName, name) : std::string(name);
  const auto range = std::find_if(trace.ranges.begin(), trace.ranges.end(), [&](const auto& r) {
    return trace.names[r.name] == wanted;
  });
  if (range == trace.ranges.end()) fail_unknown(trace, wanted);
  const Instant end = range->start + range->time;
  const std::vector<LaunchTime> launches = launch_times(trace);
  GpuTrace step = trace;
  step.activities.clear();
  for (std::size_t i = 0; i < trace.activities.size(); ++i) {
    const Instant when = launches[i].is_told ? launches[i].start : trace.activities[i].start;
    if (when >= range->start && when < end) step.activities.push_back(trace.activities[i]);
  }
  if (step.activities.empty())
    throw InputError(trace.file, wanted, "expected kernels launched in that range, found none");
  return step;
}

}  // namespace epsim
