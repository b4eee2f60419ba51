#include "calibrate/fit.hpp"

#include <cmath>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

namespace {

using Values = std::vector<double>;

// latency = a + b x, at x = 1, 2, 4, 8, 16. True constants: a = 10, b = 2.
constexpr double kTrueA = 10;
constexpr double kTrueB = 2;
const Values kAt = {1, 2, 4, 8, 16};

Values line(std::span<const double> constants) {
  Values latencies;
  for (const double x : kAt) latencies.push_back(constants[0] + constants[1] * x);
  return latencies;
}

FitProblem two_constants() {
  return {.constants = {{.name = "a", .prior = 5, .log_sigma = 10, .low = 0.1, .high = 1000},
                        {.name = "b", .prior = 1, .log_sigma = 10, .low = 0.1, .high = 1000}},
          .measured = line(Values{kTrueA, kTrueB}),
          .noise = 0.03,
          .predict = line,
          .progress = {}};
}

bool is_near(double value, double wanted, double relative) {
  return std::abs(value - wanted) <= relative * wanted;
}

}  // namespace

TEST_CASE("fit: exact observations of a two-constant model give its constants back") {
  // The priors are a factor of two away, with a spread of e^10: they pull by less than 1e-4.
  const FitSolution solution = solve_fit(two_constants());
  CHECK(is_near(solution.values[0], kTrueA, 1e-3));
  CHECK(is_near(solution.values[1], kTrueB, 1e-3));
  CHECK(solution.residual_sigma < 1e-3);
  // Both constants are seen: two degrees of freedom.
  CHECK(is_near(solution.freedom_used, 2.0, 1e-3));
  REQUIRE(solution.predicted.size() == kAt.size());
  for (std::size_t i = 0; i < kAt.size(); ++i)
    CHECK(is_near(solution.predicted[i], kTrueA + kTrueB * kAt[i], 1e-3));
}

TEST_CASE("fit: a constant that no observation sees keeps its reading and its spread") {
  FitProblem problem = two_constants();
  problem.constants.push_back(
      {.name = "unseen", .prior = 7, .log_sigma = 0.2, .low = 1, .high = 100});
  const FitSolution solution = solve_fit(problem);
  CHECK(is_near(solution.values[2], 7.0, 1e-6));
  CHECK(is_near(solution.log_covariance[2][2], 0.2 * 0.2, 1e-3));
  CHECK(std::abs(solution.log_covariance[0][2]) < 1e-9);
  CHECK(is_near(solution.freedom_used, 2.0, 1e-3));
}

TEST_CASE("fit: one observation and one prior meet where their weights say") {
  // latency = c. Prior log 1, spread 0.1; measured e^0.3 with noise 0.1. Equal weights: log c =
  // 0.15, covariance 1 / (1/0.01 + 1/0.01) = 0.005.
  FitProblem problem;
  problem.constants = {{.name = "c", .prior = 1, .log_sigma = 0.1, .low = 0.01, .high = 100}};
  problem.measured = {std::exp(0.3)};
  problem.noise = 0.1;
  problem.predict = [](std::span<const double> c) { return Values{c[0]}; };
  const FitSolution solution = solve_fit(problem);
  CHECK(is_near(std::log(solution.values[0]), 0.15, 1e-3));
  CHECK(is_near(solution.log_covariance[0][0], 0.005, 1e-3));
  CHECK(is_near(solution.freedom_used, 0.5, 1e-3));
}

TEST_CASE("fit: a constant stays within its bounds, whatever the observations pay") {
  FitProblem problem = two_constants();
  problem.constants[0].high = 8;  // the truth is 10
  const FitSolution low = solve_fit(problem);
  CHECK(low.values[0] <= 8 * (1 + 1e-12));
  CHECK(is_near(low.values[0], 8, 0.01));
  problem = two_constants();
  problem.constants[1].low = 3;  // the truth is 2, and the prior is below the bound too
  const FitSolution high = solve_fit(problem);
  CHECK(high.values[1] >= 3 * (1 - 1e-12));
}

TEST_CASE("fit: the covariance is symmetric, positive, and smaller with more observations") {
  const auto check_covariance = [](const FitSolution& solution) {
    const auto& c = solution.log_covariance;
    REQUIRE(c.size() == 2);
    CHECK(c[0][0] > 0);
    CHECK(c[1][1] > 0);
    CHECK(std::abs(c[0][1] - c[1][0]) < 1e-12);
    CHECK(c[0][0] * c[1][1] > c[0][1] * c[1][0]);
  };
  const FitSolution once = solve_fit(two_constants());
  check_covariance(once);
  // Every observation twice: half the covariance.
  FitProblem problem = two_constants();
  const Values again = problem.measured;
  problem.measured.insert(problem.measured.end(), again.begin(), again.end());
  problem.predict = [](std::span<const double> constants) {
    Values both = line(constants);
    const Values same = both;
    both.insert(both.end(), same.begin(), same.end());
    return both;
  };
  const FitSolution twice = solve_fit(problem);
  check_covariance(twice);
  CHECK(is_near(twice.log_covariance[0][0], once.log_covariance[0][0] / 2, 0.01));
}

TEST_CASE("fit: what scatters around the model comes back as residual spread") {
  // Measured 2 % up and down in turn around a constant: five records, one constant with a wide
  // prior. log(1.02), log(0.98) in turn; their mean is about 0.0038 and their spread 2.2 %.
  FitProblem problem;
  problem.constants = {{.name = "c", .prior = 10, .log_sigma = 10, .low = 0.1, .high = 1000}};
  problem.measured = {10.2, 9.8, 10.2, 9.8, 10.2};
  problem.predict = [](std::span<const double> c) { return Values(5, c[0]); };
  const FitSolution solution = solve_fit(problem);
  CHECK(is_near(solution.residual_sigma, 0.022, 0.03));
}

TEST_CASE("fit: an empty problem, or one that predicts nonsense, is a bug") {
  FitProblem nothing;
  CHECK_THROWS_AS((void)solve_fit(nothing), Bug);
  FitProblem no_constants = two_constants();
  no_constants.constants.clear();
  CHECK_THROWS_AS((void)solve_fit(no_constants), Bug);
  FitProblem no_observations = two_constants();
  no_observations.measured.clear();
  CHECK_THROWS_AS((void)solve_fit(no_observations), Bug);
  FitProblem zero_latency = two_constants();
  zero_latency.measured[0] = 0;
  CHECK_THROWS_AS((void)solve_fit(zero_latency), Bug);
  FitProblem negative = two_constants();
  negative.predict = [](std::span<const double>) { return Values(5, -1.0); };
  CHECK_THROWS_AS((void)solve_fit(negative), Bug);
  FitProblem too_few = two_constants();
  too_few.predict = [](std::span<const double>) { return Values(4, 1.0); };
  CHECK_THROWS_AS((void)solve_fit(too_few), Bug);
}

TEST_CASE("fit: an observation that is doubted pulls less") {
  // One constant, seen twice: as 10 and, doubted ten times as much, as 20. Weights 100 to 1: the
  // logarithm lies a 101st of the way from 10 to 20, at 10 x 2^(1/101) = 10.07.
  FitProblem problem = {
      .constants = {{.name = "a", .prior = 10, .log_sigma = 100, .low = 0.1, .high = 1000}},
      .measured = {10, 20},
      .noise = 0.03,
      .doubt = {1, 10},
      .predict =
          [](std::span<const double> v) {
            return Values{v[0], v[0]};
          },
      .progress = {}};
  CHECK(is_near(solve_fit(problem).values[0], 10 * std::exp2(1.0 / 101), 1e-3));
}

TEST_CASE("fit: a constant that is searched is found beyond a hill that stops the descent") {
  // Latency 10 at a = 1 and below and at a = 4 and above, 100 between; measured 5, which only
  // a beyond 8 gives. From the reading, 1, no step downhill leads there.
  const auto landscape = [](std::span<const double> v) {
    return Values{v[0] > 8 ? 5.0 : v[0] > 1.2 && v[0] < 4 ? 100.0 : 10.0};
  };
  FitProblem problem = {
      .constants = {{.name = "a", .prior = 1, .log_sigma = 2, .low = 0.01, .high = 100}},
      .measured = {5},
      .noise = 0.03,
      .predict = landscape,
      .progress = {}};
  CHECK(solve_fit(problem).values[0] < 8);
  problem.constants[0].is_searched = true;
  CHECK(solve_fit(problem).values[0] > 8);
}
