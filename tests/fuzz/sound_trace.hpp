// sound_trace: what must hold of any trace that a reader hands out, whatever bytes it was made of.
#pragma once

#include <algorithm>

#include "sim/base/check.hpp"
#include "traces/gpu_trace.hpp"

namespace epsim {

inline void expect_sound(const GpuTrace& trace) {
  check(!trace.activities.empty(), "a trace has activities");
  check(trace.activities.front().start >= Instant{}, "activities start at the epoch or later");
  const auto is_sound = [&](const auto& all) {
    return std::all_of(all.begin(),
                       all.end(),
                       [&](const auto& one) {
                         return one.time >= Duration{} && one.name < trace.names.size();
                       }) &&
           std::is_sorted(all.begin(), all.end(), [](const auto& a, const auto& b) {
             return a.start < b.start;
           });
  };
  check(is_sound(trace.activities), "activities have names and lengths, and come by their start");
  check(is_sound(trace.calls), "calls have names and lengths, and come by their start");
  check(is_sound(trace.ranges), "ranges have names and lengths, and come by their start");
  for (const TraceWarning& warning : trace.warnings)
    check(warning.count > 0 && !warning.what.empty(), "a warning says what and how often");
}

}  // namespace epsim
