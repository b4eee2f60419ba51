#include "calibrate/robust_stats.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

TEST_CASE("quantiles: between order statistics by straight lines, whatever the order") {
  // Sorted 10 20 30 40 50: the median is 30; p10 stands 0.4 of a step above 10, p90 0.4 below 50.
  const Quantiles q = quantiles(std::vector<double>{50, 10, 40, 20, 30});
  CHECK(q.p10 == doctest::Approx(14));
  CHECK(q.median == doctest::Approx(30));
  CHECK(q.p90 == doctest::Approx(46));
}

TEST_CASE("quantiles: one wild sample does not move the median") {
  CHECK(quantiles(std::vector<double>{1, 1, 1, 1, 1e9}).median == doctest::Approx(1));
}

TEST_CASE("quantiles: one sample is every quantile, none is a bug") {
  CHECK(quantile(std::vector<double>{7}, 0.9) == doctest::Approx(7));
  CHECK_THROWS_AS((void)quantiles(std::vector<double>{}), Bug);
  CHECK_THROWS_AS((void)quantile(std::vector<double>{1}, 1.5), Bug);
}
