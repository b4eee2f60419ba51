#include "traces/expert_sampler.hpp"

#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

namespace {

// Pearson's sum over cells that should hold `expected` each.
double chi_square(const std::map<std::array<ExpertChoice, 2>, int>& counts, double expected) {
  double sum = 0.0;
  for (const auto& [pair, count] : counts) sum += std::pow(count - expected, 2) / expected;
  return sum;
}

}  // namespace

TEST_CASE("UniformSampler: every ordered pair of the pool is equally likely") {
  constexpr std::uint64_t seed = 11;
  CAPTURE(seed);
  Rng rng(seed);
  UniformSampler sampler({2, 3, 5, 7, 11});
  std::map<std::array<ExpertChoice, 2>, int> counts;
  for (int draw = 0; draw < 20'000; ++draw) {
    std::array<ExpertChoice, 2> pair{};
    sampler.draw(rng, pair);
    ++counts[pair];
  }
  // 5 * 4 = 20 ordered pairs, so 20 000 / 20 = 1000 each. Chi-square of 19 degrees of freedom has
  // mean 19 and standard deviation sqrt(38) = 6.16; six of them above is 56.
  CHECK(counts.size() == 20);
  CHECK(chi_square(counts, 1000.0) < 56.0);
}

TEST_CASE("UniformSampler: drawing the whole pool draws each of it once") {
  Rng rng(3);
  std::vector<ExpertChoice> out(4);
  UniformSampler sampler({1, 2, 3, 4});
  for (int draw = 0; draw < 10; ++draw) {
    sampler.draw(rng, out);
    CHECK(std::accumulate(out.begin(), out.end(), 0) == 10);
  }
  std::vector<ExpertChoice> too_many(5);
  CHECK_THROWS_AS(sampler.draw(rng, too_many), Bug);
}

TEST_CASE("WeightedSampler: draws follow the weights of those not yet drawn") {
  constexpr std::uint64_t seed = 12;
  constexpr int draws = 20'000;
  CAPTURE(seed);
  Rng rng(seed);
  const std::vector<double> weights{1.0, 2.0, 5.0};
  WeightedSampler sampler(weights);
  std::map<std::array<ExpertChoice, 2>, int> counts;
  for (int draw = 0; draw < draws; ++draw) {
    std::array<ExpertChoice, 2> pair{};
    sampler.draw(rng, pair);
    ++counts[pair];
  }
  // P(i then j) = w_i / 8 * w_j / (8 - w_i); for example P(2 then 0) = 5/8 * 1/3 = 5/24.
  for (ExpertChoice i = 0; i < 3; ++i)
    for (ExpertChoice j = 0; j < 3; ++j) {
      if (i == j) continue;
      const double first = weights[expert_of(i).index()];
      const double p = first / 8.0 * weights[expert_of(j).index()] / (8.0 - first);
      CAPTURE(i);
      CAPTURE(j);
      CHECK(std::abs(counts[{i, j}] - draws * p) < 4.0 * std::sqrt(draws * p * (1.0 - p)));
    }
  CHECK(counts.size() == 6);
}

TEST_CASE("WeightedSampler: a draw needs no luck, however unequal the weights") {
  // Drawing again after a repeat would take about 1e300 draws to find the second expert.
  Rng rng(5);
  const std::vector<double> weights{1.0, 1e-300, 1e-300};
  WeightedSampler sampler(weights);
  for (int draw = 0; draw < 100; ++draw) {
    std::array<ExpertChoice, 3> all{};
    sampler.draw(rng, all);
    CHECK(all[0] == 0);
    CHECK(all[1] + all[2] == 3);
  }
}

TEST_CASE("WeightedSampler: one expert alone is always drawn") {
  Rng rng(6);
  const std::vector<double> weights{0.25};
  std::array<ExpertChoice, 1> out{kMasked};
  WeightedSampler(weights).draw(rng, out);
  CHECK(out[0] == 0);
}
