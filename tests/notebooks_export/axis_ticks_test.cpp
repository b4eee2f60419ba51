#include "notebooks_export/axis_ticks.hpp"

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

TEST_CASE("Axis ticks: linear ones are multiples of a round step within the range") {
  // 100 / 8 = 12.5 is rounded up to 20.
  CHECK(linear_ticks(0, 100, 8) == std::vector<double>{0, 20, 40, 60, 80, 100});
  // 3.1 / 6 = 0.517 is rounded up to 1.
  CHECK(linear_ticks(-1.2, 1.9, 6) == std::vector<double>{-1, 0, 1});
  CHECK_THROWS_AS((void)linear_ticks(5, 5, 6), Bug);
}

TEST_CASE("Axis ticks: logarithmic ones are 1, 2 and 5 of each decade while these are legible") {
  CHECK(log_ticks(8, 120, 6) == std::vector<double>{10, 20, 50, 100});
  // Six decades have 16 such numbers, of which 12 at most are wanted: decades alone.
  CHECK(log_ticks(0.9, 1.1e5, 6) == std::vector<double>{1, 10, 100, 1000, 1e4, 1e5});
  CHECK(log_ticks(0.09, 0.6, 6) == std::vector<double>{0.1, 0.2, 0.5});
  // Between 21 and 49 there is none of them.
  CHECK(log_ticks(21, 49, 6) == std::vector<double>{25, 30, 35, 40, 45});
  CHECK_THROWS_AS((void)log_ticks(0, 10, 6), Bug);
}

TEST_CASE("Axis ticks: large numbers are written in thousands and millions") {
  CHECK(tick_text(0.5) == "0.5");
  CHECK(tick_text(9000) == "9000");
  CHECK(tick_text(12000) == "12k");
  CHECK(tick_text(-1.5e6) == "-1.5M");
  CHECK(tick_text(2e9) == "2G");
}
