#include "traces/intervals.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "tests/support/hand_made_trace.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Interval from_to(double start, double end) {
  return {at_us(start), at_us(end)};
}

IntervalSet set_of(std::vector<Interval> stretches) {
  return IntervalSet(std::move(stretches));
}

}  // namespace

TEST_CASE("IntervalSet: stretches that overlap or touch become one, and empty ones vanish") {
  const IntervalSet set =
      set_of({from_to(5, 6), from_to(0, 2), from_to(1, 3), from_to(3, 4), from_to(9, 9)});
  CHECK(set.intervals() == std::vector{from_to(0, 4), from_to(5, 6)});
  CHECK(set.length() == 5us);
  CHECK(set_of({}).empty());
  CHECK(set_of({from_to(2, 1)}).empty());
}

TEST_CASE("IntervalSet: intersection and difference split a set between them") {
  const IntervalSet a = set_of({from_to(0, 10), from_to(20, 30)});
  const IntervalSet b = set_of({from_to(2, 3), from_to(5, 22), from_to(29, 40)});
  CHECK(a.intersection(b).intervals() ==
        std::vector{from_to(2, 3), from_to(5, 10), from_to(20, 22), from_to(29, 30)});
  CHECK(a.difference(b).intervals() == std::vector{from_to(0, 2), from_to(3, 5), from_to(22, 29)});
  CHECK(a.intersection(b).length() + a.difference(b).length() == a.length());
  CHECK(a.united_with(b).intervals() == std::vector{from_to(0, 40)});
  CHECK(a.difference({}).intervals() == a.intervals());
  CHECK(a.intersection({}).empty());
}

TEST_CASE("IntervalSet: the length in a window counts what lies inside it") {
  const IntervalSet set = set_of({from_to(0, 10), from_to(20, 30)});
  CHECK(set.length_in(from_to(5, 25)) == 10us);  // 5 to 10 and 20 to 25
  CHECK(set.length_in(from_to(10, 20)) == 0us);
  CHECK(set.length_in(from_to(-5, 50)) == 20us);
  CHECK(set.length_in(from_to(4, 4)) == 0us);
}
