#include "traces/intervals.hpp"

#include <algorithm>
#include <utility>

namespace epsim {

IntervalSet::IntervalSet(std::vector<Interval> stretches) {
  std::erase_if(stretches, [](const Interval& stretch) { return stretch.end <= stretch.start; });
  std::sort(stretches.begin(), stretches.end(), [](const Interval& a, const Interval& b) {
    return a.start < b.start;
  });
  for (const Interval& stretch : stretches) {
    if (!intervals_.empty() && stretch.start <= intervals_.back().end)
      intervals_.back().end = std::max(intervals_.back().end, stretch.end);
    else
      intervals_.push_back(stretch);
  }
}

Duration IntervalSet::length() const {
  Duration sum{};
  for (const Interval& interval : intervals_) sum += interval.length();
  return sum;
}

Duration IntervalSet::length_in(const Interval& window) const {
  auto at = std::partition_point(intervals_.begin(), intervals_.end(), [&](const Interval& i) {
    return i.end <= window.start;
  });
  Duration sum{};
  for (; at != intervals_.end() && at->start < window.end; ++at)
    sum += std::min(at->end, window.end) - std::max(at->start, window.start);
  return sum;
}

IntervalSet IntervalSet::intersection(const IntervalSet& other) const {
  IntervalSet result;
  auto a = intervals_.begin();
  auto b = other.intervals_.begin();
  while (a != intervals_.end() && b != other.intervals_.end()) {
    const Interval both{std::max(a->start, b->start), std::min(a->end, b->end)};
    if (both.start < both.end) result.intervals_.push_back(both);
    if (a->end < b->end)
      ++a;
    else
      ++b;
  }
  return result;
}

IntervalSet IntervalSet::difference(const IntervalSet& other) const {
  IntervalSet result;
  auto b = other.intervals_.begin();
  for (Interval left : intervals_) {
    while (b != other.intervals_.end() && b->end <= left.start) ++b;
    for (auto cut = b; cut != other.intervals_.end() && cut->start < left.end; ++cut) {
      if (left.start < cut->start) result.intervals_.push_back({left.start, cut->start});
      left.start = std::min(cut->end, left.end);
    }
    if (left.start < left.end) result.intervals_.push_back(left);
  }
  return result;
}

IntervalSet IntervalSet::united_with(const IntervalSet& other) const {
  std::vector<Interval> stretches = intervals_;
  stretches.insert(stretches.end(), other.intervals_.begin(), other.intervals_.end());
  return IntervalSet(std::move(stretches));
}

}  // namespace epsim
