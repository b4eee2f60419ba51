#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "tests/support/hand_made_trace.hpp"
#include "tests/support/seeds.hpp"
#include "traces/intervals.hpp"
#include "traces/overlap.hpp"

using namespace epsim;

namespace {

constexpr std::int64_t kTicks = 200;  // instants that a sampler looks at, a microsecond apart

Interval random_interval(Rng& rng) {
  const auto start = static_cast<std::int64_t>(rng.below(kTicks));
  const auto length = static_cast<std::int64_t>(rng.below(rng.below(4) == 0 ? 60 : 12));
  const Instant begin = at_us(static_cast<double>(start));
  return {begin, begin + from_us(static_cast<double>(std::min(length, kTicks - start)))};
}

std::vector<Interval> random_intervals(Rng& rng) {
  std::vector<Interval> intervals(rng.below(20));
  for (Interval& interval : intervals) interval = random_interval(rng);
  return intervals;
}

// Whether something covers the microsecond from `tick`.
bool covers(const std::vector<Interval>& intervals, std::int64_t tick) {
  const Instant when = at_us(static_cast<double>(tick));
  return std::any_of(intervals.begin(), intervals.end(), [&](const Interval& interval) {
    return interval.start <= when && when < interval.end;
  });
}

template <typename Claim>
Duration sampled(Claim claim) {
  std::int64_t count = 0;
  for (std::int64_t tick = 0; tick < kTicks; ++tick) count += claim(tick) ? 1 : 0;
  return from_us(static_cast<double>(count));
}

// Kernels of streams that are serial, as GPUs run them.
GpuTrace random_trace(Rng& rng) {
  constexpr std::array kNames = {kComputeName, kCommunicationName, kNotifyName};
  HandMadeTrace hand_made;
  const std::uint64_t streams = 1 + rng.below(4);
  for (std::uint32_t stream = 0; stream < streams; ++stream) {
    std::int64_t now = static_cast<std::int64_t>(rng.below(20));
    while (true) {
      const auto length = static_cast<std::int64_t>(rng.below(25));
      if (now + length > kTicks) break;
      const auto start = static_cast<double>(now);
      const auto time = static_cast<double>(length);
      const GpuActivity& activity =
          rng.below(8) == 0 ? hand_made.copy(stream, start, time)
                            : hand_made.kernel(kNames[rng.below(3)], stream, start, time);
      if (rng.below(2) == 0)
        hand_made.launch(activity.correlation, start - static_cast<double>(rng.below(30)), 3);
      now += length + static_cast<std::int64_t>(rng.below(3) == 0 ? rng.below(12) : 0);
    }
  }
  return hand_made.take();
}

}  // namespace

TEST_CASE("Intervals: sets are what a sampler sees at every instant") {
  for (const std::uint64_t seed : property_seeds(300)) {
    CAPTURE(seed);
    Rng rng(seed);
    const std::vector<Interval> a = random_intervals(rng);
    const std::vector<Interval> b = random_intervals(rng);
    const IntervalSet set_a(a);
    const IntervalSet set_b(b);
    CHECK(set_a.length() == sampled([&](auto t) { return covers(a, t); }));
    CHECK(set_a.intersection(set_b).length() ==
          sampled([&](auto t) { return covers(a, t) && covers(b, t); }));
    CHECK(set_a.difference(set_b).length() ==
          sampled([&](auto t) { return covers(a, t) && !covers(b, t); }));
    CHECK(set_a.united_with(set_b).length() ==
          sampled([&](auto t) { return covers(a, t) || covers(b, t); }));
    const std::vector<Interval> window = {random_interval(rng)};
    CHECK(set_a.length_in(window[0]) ==
          sampled([&](auto t) { return covers(a, t) && covers(window, t); }));
    for (std::size_t i = 1; i < set_a.intervals().size(); ++i)
      CHECK(set_a.intervals()[i - 1].end < set_a.intervals()[i].start);
  }
}

TEST_CASE("Overlap: every time is what a sampler sees at every instant") {
  const KernelClassTable table = KernelClassTable::built_in();
  for (const std::uint64_t seed : property_seeds(300)) {
    CAPTURE(seed);
    Rng rng(seed);
    const GpuTrace trace = random_trace(rng);
    if (trace.activities.empty()) continue;
    const std::vector<KernelRole> roles = activity_roles(trace, table);
    const TraceUse use = trace_use(trace, roles);
    REQUIRE(use.devices.size() == 1);
    const DeviceUse& device = use.devices[0];
    std::array<std::vector<Interval>, 3> by_class;
    std::vector<Interval> notify, all;
    for (std::size_t i = 0; i < roles.size(); ++i) {
      const Interval interval{trace.activities[i].start, trace.activities[i].end()};
      by_class[static_cast<std::size_t>(roles[i].kernel_class)].push_back(interval);
      all.push_back(interval);
      if (roles[i].phase == CommunicationPhase::notify) notify.push_back(interval);
    }
    const auto& [compute, communication, copies] = by_class;
    CHECK(device.time.compute == sampled([&](auto t) { return covers(compute, t); }));
    CHECK(device.time.communication == sampled([&](auto t) { return covers(communication, t); }));
    CHECK(device.time.copy == sampled([&](auto t) { return covers(copies, t); }));
    CHECK(device.time.overlap ==
          sampled([&](auto t) { return covers(communication, t) && covers(compute, t); }));
    CHECK(device.time.exposed() ==
          sampled([&](auto t) { return covers(communication, t) && !covers(compute, t); }));
    CHECK(device.notify == sampled([&](auto t) { return covers(notify, t); }));
    CHECK(device.time.span.length() - device.time.idle ==
          sampled([&](auto t) { return covers(all, t); }));
    CHECK(device.gaps.total == device.time.idle);
    CHECK(device.gaps.launch_bound <= device.gaps.total);
  }
}

TEST_CASE("Device path: its parts add up to the span, whatever ran") {
  const KernelClassTable table = KernelClassTable::built_in();
  for (const std::uint64_t seed : property_seeds(300)) {
    CAPTURE(seed);
    Rng rng(seed);
    const GpuTrace trace = random_trace(rng);
    if (trace.activities.empty()) continue;
    const TraceUse use = trace_use(trace, activity_roles(trace, table));
    const DevicePath& path = use.devices[0].path;
    const Duration sum =
        std::accumulate(path.by_class.begin(), path.by_class.end(), path.launch + path.gap);
    CHECK(sum == use.devices[0].time.span.length());
    for (const PathLink& link : path.links) {
      CHECK(link.run >= Duration{});
      CHECK(link.launch >= Duration{});
      CHECK(link.gap >= Duration{});
    }
  }
}
