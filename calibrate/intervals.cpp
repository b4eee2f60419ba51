#include "calibrate/intervals.hpp"

#include <algorithm>
#include <cstddef>

#include "sim/base/check.hpp"

namespace epsim {

std::vector<Interval> united(std::span<const Interval> intervals) {
  std::vector<Interval> sorted(intervals.begin(), intervals.end());
  std::sort(sorted.begin(), sorted.end(), [](const Interval& a, const Interval& b) {
    return a.start_ns < b.start_ns;
  });
  std::vector<Interval> joined;
  for (const Interval& next : sorted) {
    check(next.end_ns >= next.start_ns, "an interval ends after it starts");
    if (next.end_ns == next.start_ns) continue;
    if (!joined.empty() && next.start_ns <= joined.back().end_ns)
      joined.back().end_ns = std::max(joined.back().end_ns, next.end_ns);
    else
      joined.push_back(next);
  }
  return joined;
}

std::vector<Interval> intersection(std::span<const Interval> a, std::span<const Interval> b) {
  const std::vector<Interval> left = united(a);
  const std::vector<Interval> right = united(b);
  std::vector<Interval> shared;
  for (std::size_t i = 0, j = 0; i < left.size() && j < right.size();) {
    const std::int64_t start = std::max(left[i].start_ns, right[j].start_ns);
    const std::int64_t end = std::min(left[i].end_ns, right[j].end_ns);
    if (start < end) shared.push_back({start, end});
    if (left[i].end_ns < right[j].end_ns)
      ++i;
    else
      ++j;
  }
  return shared;
}

std::int64_t united_length(std::span<const Interval> intervals) {
  std::int64_t length = 0;
  for (const Interval& part : united(intervals)) length += part.end_ns - part.start_ns;
  return length;
}

double overlap_percent(std::span<const Interval> communication, std::span<const Interval> compute) {
  const std::int64_t whole = united_length(communication);
  if (whole == 0) return 0;
  return 100 * static_cast<double>(united_length(intersection(communication, compute))) /
         static_cast<double>(whole);
}

}  // namespace epsim
