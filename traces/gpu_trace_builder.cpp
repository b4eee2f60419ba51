#include "traces/gpu_trace_builder.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

// No profiler's clock is later, and sums of two still fit.
constexpr std::int64_t kLatestNs = std::int64_t{1} << 62;
// An Instant holds 106 days of picoseconds to both sides. A record further away than half of that
// has a broken time stamp.
constexpr std::int64_t kLongestNs = std::int64_t{50} * 24 * 3600 * 1'000'000'000;
constexpr std::int64_t kPsPerNs = 1000;

}  // namespace

GpuTraceBuilder::GpuTraceBuilder(std::string file, std::string profiler) {
  trace_.file = std::move(file);
  trace_.profiler = std::move(profiler);
}

std::uint32_t GpuTraceBuilder::name(std::string_view text) {
  const auto known = names_.find(text);
  if (known != names_.end()) return known->second;
  const auto index = static_cast<std::uint32_t>(trace_.names.size());
  trace_.names.emplace_back(text);
  names_.emplace(text, index);
  return index;
}

void GpuTraceBuilder::warn(std::string_view what, std::string_view where, std::uint64_t count) {
  if (count == 0) return;
  const auto [row, is_new] = warning_index_.try_emplace(std::string(what), trace_.warnings.size());
  if (is_new)
    trace_.warnings.push_back({.what = std::string(what), .where = std::string(where), .count = 0});
  trace_.warnings[row->second].count += count;
}

bool GpuTraceBuilder::is_possible(NsSpan span, std::string_view what, const TracePlace& where) {
  const auto drop = [&](std::string_view reason) {
    warn(fmt::format("{} {} dropped", what, reason), where());
    return false;
  };
  if (span.start_ns < 0 || span.start_ns > kLatestNs || span.end_ns > kLatestNs)
    return drop("with a time that no clock shows");
  // CUPTI's way to say that it could not find out.
  if (span.start_ns == 0 && span.end_ns == 0) return drop("without times");
  if (span.end_ns < span.start_ns) return drop("with a negative duration");
  if (span.end_ns - span.start_ns > kLongestNs) return drop("of more than 50 days");
  return true;
}

bool GpuTraceBuilder::add(GpuActivity activity,
                          NsSpan span,
                          std::string_view what,
                          const TracePlace& where) {
  if (!is_possible(span, what, where)) return false;
  activity.start = Instant{Duration{span.start_ns}};
  activity.time = Duration{span.end_ns - span.start_ns};
  trace_.activities.push_back(activity);
  return true;
}

bool GpuTraceBuilder::add(HostCall call,
                          NsSpan span,
                          std::string_view what,
                          const TracePlace& where) {
  if (!is_possible(span, what, where)) return false;
  call.start = Instant{Duration{span.start_ns}};
  call.time = Duration{span.end_ns - span.start_ns};
  trace_.calls.push_back(call);
  return true;
}

bool GpuTraceBuilder::add(TraceRange range,
                          NsSpan span,
                          std::string_view what,
                          const TracePlace& where) {
  if (!is_possible(span, what, where)) return false;
  range.start = Instant{Duration{span.start_ns}};
  range.time = Duration{span.end_ns - span.start_ns};
  trace_.ranges.push_back(range);
  return true;
}

template <typename Timed>
void GpuTraceBuilder::count_from_epoch(std::vector<Timed>& all, std::string_view what) {
  const auto is_far = [this](const Timed& one) {
    const std::int64_t from_epoch = one.start.time_since_epoch().count() - trace_.epoch_ns;
    return from_epoch > kLongestNs || from_epoch < -kLongestNs;
  };
  const auto far = std::remove_if(all.begin(), all.end(), is_far);
  warn(fmt::format("{} more than 50 days from the first activity dropped", what),
       "",
       static_cast<std::uint64_t>(all.end() - far));
  all.erase(far, all.end());
  for (Timed& one : all) {
    const std::int64_t from_epoch = one.start.time_since_epoch().count() - trace_.epoch_ns;
    one.start = Instant{Duration{from_epoch * kPsPerNs}};
    one.time = Duration{one.time.count() * kPsPerNs};
  }
}

// Far from most others, that is: one broken time stamp must not make the first activity.
void GpuTraceBuilder::drop_far_activities() {
  std::vector<GpuActivity>& activities = trace_.activities;
  std::vector<Instant> starts;
  starts.reserve(activities.size());
  for (const GpuActivity& activity : activities) starts.push_back(activity.start);
  const auto middle = starts.begin() + static_cast<std::ptrdiff_t>(starts.size() / 2);
  std::nth_element(starts.begin(), middle, starts.end());
  const auto far = std::remove_if(activities.begin(), activities.end(), [&](const GpuActivity& a) {
    const std::int64_t distance = (a.start - *middle).count();
    return distance > kLongestNs / 2 || distance < -kLongestNs / 2;
  });
  warn("activities more than 25 days from most others dropped",
       "",
       static_cast<std::uint64_t>(activities.end() - far));
  activities.erase(far, activities.end());
}

// Some profilers tell a call by the runtime and again by the driver below it, of one correlation:
// the first to start holds the other.
void GpuTraceBuilder::drop_repeated_calls() {
  std::vector<HostCall>& calls = trace_.calls;
  const auto key = [](const HostCall& call) {
    return std::tuple(call.correlation, call.thread, call.kind);
  };
  std::stable_sort(calls.begin(), calls.end(), [&](const HostCall& a, const HostCall& b) {
    return std::tuple_cat(key(a), std::tuple(a.start)) <
           std::tuple_cat(key(b), std::tuple(b.start));
  });
  const auto repeated =
      std::unique(calls.begin(), calls.end(), [&](const HostCall& a, const HostCall& b) {
        return a.correlation != 0 && key(a) == key(b);
      });
  warn("calls told a second time dropped", "", static_cast<std::uint64_t>(calls.end() - repeated));
  calls.erase(repeated, calls.end());
}

GpuTrace GpuTraceBuilder::finish(std::string_view hint) {
  std::vector<GpuActivity>& activities = trace_.activities;
  if (activities.empty()) {
    std::string dropped;
    for (const TraceWarning& warning : trace_.warnings)
      dropped += fmt::format("; {} {}{}{}",
                             warning.count,
                             warning.what,
                             warning.where.empty() ? "" : ", first at ",
                             warning.where);
    throw InputError(trace_.file,
                     "",
                     fmt::format("holds no kernel, copy or fill of a GPU{}{}{}",
                                 hint.empty() ? "" : "; ",
                                 hint,
                                 dropped));
  }
  drop_far_activities();
  trace_.epoch_ns =
      std::min_element(activities.begin(),
                       activities.end(),
                       [](const GpuActivity& a, const GpuActivity& b) { return a.start < b.start; })
          ->start.time_since_epoch()
          .count();
  count_from_epoch(activities, "activities");  // none is far
  count_from_epoch(trace_.calls, "calls");
  count_from_epoch(trace_.ranges, "ranges");
  drop_repeated_calls();
  std::stable_sort(
      activities.begin(), activities.end(), [](const GpuActivity& a, const GpuActivity& b) {
        return std::tie(a.start, a.stream, a.correlation) <
               std::tie(b.start, b.stream, b.correlation);
      });
  std::stable_sort(
      trace_.calls.begin(), trace_.calls.end(), [](const HostCall& a, const HostCall& b) {
        return std::tie(a.start, a.correlation) < std::tie(b.start, b.correlation);
      });
  std::stable_sort(trace_.ranges.begin(),
                   trace_.ranges.end(),
                   [](const TraceRange& a, const TraceRange& b) { return a.start < b.start; });
  return std::move(trace_);
}

}  // namespace epsim
