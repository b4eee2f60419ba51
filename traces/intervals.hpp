// IntervalSet: stretches of time that do not touch each other, in order. Unions, intersections and
// differences of what ran on a GPU; a stretch holds its start and not its end.
#pragma once

#include <vector>

#include "sim/base/units.hpp"

namespace epsim {

struct Interval {
  Instant start, end;
  [[nodiscard]] Duration length() const { return end - start; }
  bool operator==(const Interval&) const = default;
};

class IntervalSet {
 public:
  IntervalSet() = default;
  // The union of stretches in any order; those without length are dropped.
  explicit IntervalSet(std::vector<Interval> stretches);

  [[nodiscard]] const std::vector<Interval>& intervals() const { return intervals_; }
  [[nodiscard]] bool empty() const { return intervals_.empty(); }
  [[nodiscard]] Duration length() const;
  // How much of it lies in `window`. Logarithmic, but for what lies there.
  [[nodiscard]] Duration length_in(const Interval& window) const;

  [[nodiscard]] IntervalSet intersection(const IntervalSet& other) const;
  [[nodiscard]] IntervalSet difference(const IntervalSet& other) const;
  [[nodiscard]] IntervalSet united_with(const IntervalSet& other) const;

 private:
  std::vector<Interval> intervals_;
};

}  // namespace epsim
