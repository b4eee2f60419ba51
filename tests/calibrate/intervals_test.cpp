#include "calibrate/intervals.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

using Intervals = std::vector<Interval>;

TEST_CASE("Intervals: a union joins what overlaps, touches or lies within, in order of time") {
  // 0-10 and 5-20 overlap, 20-25 touches, 7-8 lies within; 40-50 stands alone.
  const Intervals scattered = {{40, 50}, {5, 20}, {0, 10}, {20, 25}, {7, 8}};
  CHECK(united(scattered) == Intervals{{0, 25}, {40, 50}});
  CHECK(united_length(scattered) == 25 + 10);
}

TEST_CASE("Intervals: empty ones vanish, and nothing unites to nothing") {
  CHECK(united(Intervals{{3, 3}, {9, 9}}).empty());
  CHECK(united(Intervals{}).empty());
  CHECK(united_length(Intervals{}) == 0);
}

TEST_CASE("Intervals: one that ends before it starts is a bug") {
  CHECK_THROWS_AS((void)united(Intervals{{5, 4}}), Bug);
}

TEST_CASE("Intervals: an intersection keeps the moments that are in both") {
  const Intervals a = {{0, 10}, {20, 30}, {40, 50}};
  const Intervals b = {{5, 25}, {28, 45}, {50, 60}};
  // 0-10 meets 5-25 in 5-10; 20-30 meets 5-25 in 20-25 and 28-45 in 28-30; 40-50 meets 28-45 in
  // 40-45 and 50-60 in no moment.
  const Intervals both = {{5, 10}, {20, 25}, {28, 30}, {40, 45}};
  CHECK(intersection(a, b) == both);
  CHECK(intersection(b, a) == both);
  CHECK(intersection(a, Intervals{}).empty());
}

TEST_CASE("Intervals: a moment that several kernels share counts once in the overlap") {
  // Communication 0-100. Compute 10-30 and 20-50 on two streams: together 10-50, 40 of 100.
  CHECK(overlap_percent(Intervals{{0, 100}}, Intervals{{10, 30}, {20, 50}}) == doctest::Approx(40));
  // Twice the same communication is still 100 long.
  CHECK(overlap_percent(Intervals{{0, 100}, {0, 100}}, Intervals{{10, 50}}) == doctest::Approx(40));
  CHECK(overlap_percent(Intervals{{0, 10}}, Intervals{{0, 100}}) == doctest::Approx(100));
  CHECK(overlap_percent(Intervals{}, Intervals{{0, 1}}) == 0);
}
