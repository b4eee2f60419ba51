#include "calibrate/experiments/cycle_samples.hpp"

#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

namespace epsim {

TEST_CASE("Cycle samples: a sample is the mean over units, and warm-ups are left out") {
  // Two units, three samples of two parts each, at 2 cycles a ns.
  const std::vector<std::int64_t> counts = {90,
                                            91,
                                            10,
                                            20,
                                            30,
                                            40,  //
                                            92,
                                            93,
                                            30,
                                            60,
                                            50,
                                            80};
  const CycleCounts cycles{.counts = counts, .samples_per_unit = 3, .parts = 2};
  // Part 0, without the first: (10 + 30) / 2 / 2 = 10, (30 + 50) / 2 / 2 = 20.
  CHECK(mean_over_units_ns(cycles, 2.0, 0, 1) == std::vector<double>{10, 20});
  // Part 1: (20 + 60) / 2 / 2 = 20, (40 + 80) / 2 / 2 = 30.
  CHECK(mean_over_units_ns(cycles, 2.0, 1, 1) == std::vector<double>{20, 30});
  CHECK_THROWS_AS((void)mean_over_units_ns(cycles, 2.0, 2, 1), Bug);
}

TEST_CASE("Cycle samples: units that counted different samples are a bug") {
  const std::vector<std::int64_t> counts = {1, 2, 3};
  CHECK_THROWS_AS((void)mean_over_units_ns({.counts = counts, .samples_per_unit = 2}, 1.0, 0, 0),
                  Bug);
}

TEST_CASE("Cycle samples: what the clock costs is taken off, but nothing becomes negative") {
  CHECK(above_overhead({12, 7, 5}, 6) == std::vector<double>{6, 1, 0});
}

TEST_CASE("Cycle samples: bytes a nanosecond are gigabytes a second") {
  // 1000 bytes in 4 ns and in 2 ns.
  const std::vector<double> times = {4, 2};
  CHECK(rates_gb_per_s(1000, times) == std::vector<double>{250, 500});
  const std::vector<double> no_time = {0};
  CHECK_THROWS_AS((void)rates_gb_per_s(1, no_time), Bug);
}

}  // namespace epsim
