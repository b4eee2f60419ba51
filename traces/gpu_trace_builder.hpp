// GpuTraceBuilder: collects what a reader finds, in any order and by the profiler's clock, and
// makes a GpuTrace of it: times from the first activity, everything sorted, what was left out
// counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "traces/gpu_trace.hpp"

namespace epsim {

// When something ran, by the profiler's clock.
struct NsSpan {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

// Where in the file something stands; asked only when there is a reason to tell.
using TracePlace = std::function<std::string()>;

class GpuTraceBuilder {
 public:
  GpuTraceBuilder(std::string file, std::string profiler);

  [[nodiscard]] std::uint32_t name(std::string_view text);
  // Something left out or mended; `where` is that of the first one.
  void warn(std::string_view what, std::string_view where, std::uint64_t count = 1);

  // Each drops what has an impossible span (and says so), `what` being a plural: "kernels". Returns
  // whether it was taken. `start` and `time` of the values are filled from the span.
  bool add(GpuActivity activity, NsSpan span, std::string_view what, const TracePlace& where);
  bool add(HostCall call, NsSpan span, std::string_view what, const TracePlace& where);
  bool add(TraceRange range, NsSpan span, std::string_view what, const TracePlace& where);

  // The same where the place is at hand as text.
  template <typename Timed>
  bool add(const Timed& timed, NsSpan span, std::string_view what, std::string_view where) {
    return add(timed, span, what, [where] { return std::string(where); });
  }

  // What needs no clock: devices, waits, the rank. Warnings and times come with finish().
  [[nodiscard]] GpuTrace& trace() { return trace_; }

  // Throws InputError when no activity is left; `hint` then says what may be the reason.
  [[nodiscard]] GpuTrace finish(std::string_view hint = {});

 private:
  [[nodiscard]] bool is_possible(NsSpan span, std::string_view what, const TracePlace& where);
  void drop_far_activities();
  void drop_repeated_calls();
  template <typename Timed>
  void count_from_epoch(std::vector<Timed>& all, std::string_view what);

  GpuTrace trace_;  // until finish(), Instants and Durations count nanoseconds of the profiler
  std::map<std::string, std::uint32_t, std::less<>> names_;
  std::map<std::string, std::size_t, std::less<>> warning_index_;
};

}  // namespace epsim
