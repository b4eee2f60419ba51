#include "calibrate/fit.hpp"

#include <algorithm>
#include <cmath>

#include <Eigen/Dense>

#include "sim/base/check.hpp"
#include "sim/base/rng.hpp"

namespace epsim {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kMostIterations = 40;
constexpr double kStep = 0.02;    // of a logarithm, for the numerical Jacobian
constexpr double kEnough = 1e-5;  // relative gain below which the search ends
constexpr double kLambdaStart = 1e-3;
constexpr double kLambdaMost = 1e6;
constexpr int kStarts = 64;           // draws of the constants that are searched
constexpr double kStartSigmas = 2.0;  // how far from their readings

// The problem in whitened form: residuals of unit variance.
class Whitened {
 public:
  explicit Whitened(const FitProblem& problem) : problem_(problem) {
    check(!problem.constants.empty() && !problem.measured.empty(), "a fit has something to fit");
    for (const double value : problem.measured) check(value > 0, "a measured latency is positive");
    check(problem.doubt.empty() || problem.doubt.size() == problem.measured.size(),
          "each observation is doubted, or none");
  }

  [[nodiscard]] Eigen::Index constants() const {
    return static_cast<Eigen::Index>(problem_.constants.size());
  }
  [[nodiscard]] Eigen::Index observations() const {
    return static_cast<Eigen::Index>(problem_.measured.size());
  }
  [[nodiscard]] const FreeConstant& constant(Eigen::Index j) const {
    return problem_.constants[static_cast<std::size_t>(j)];
  }

  [[nodiscard]] VectorXd start() const {
    VectorXd theta(constants());
    for (Eigen::Index j = 0; j < constants(); ++j) theta(j) = std::log(constant(j).prior);
    return theta;
  }

  [[nodiscard]] VectorXd clamp(VectorXd theta) const {
    for (Eigen::Index j = 0; j < constants(); ++j)
      theta(j) = std::clamp(theta(j),
                            std::log(std::max(constant(j).low, constant(j).prior * 1e-3)),
                            std::log(constant(j).high));
    return theta;
  }

  [[nodiscard]] std::vector<double> predict(const VectorXd& theta) const {
    std::vector<double> values;
    for (Eigen::Index j = 0; j < constants(); ++j) values.push_back(std::exp(theta(j)));
    std::vector<double> predicted = problem_.predict(values);
    check(predicted.size() == problem_.measured.size(), "one prediction an observation");
    for (const double value : predicted) check(value > 0, "a prediction is positive");
    return predicted;
  }

  // Observations first, then priors.
  [[nodiscard]] VectorXd residuals(const VectorXd& theta,
                                   const std::vector<double>& predicted) const {
    VectorXd r(observations() + constants());
    for (Eigen::Index i = 0; i < observations(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const double doubt = problem_.doubt.empty() ? 1 : problem_.doubt[at];
      r(i) = std::log(predicted[at] / problem_.measured[at]) / (problem_.noise * doubt);
    }
    for (Eigen::Index j = 0; j < constants(); ++j)
      r(observations() + j) = (theta(j) - std::log(constant(j).prior)) / constant(j).log_sigma;
    return r;
  }

  [[nodiscard]] MatrixXd jacobian(const VectorXd& theta, const VectorXd& at_theta) const {
    MatrixXd J(at_theta.size(), constants());
    for (Eigen::Index j = 0; j < constants(); ++j) {
      VectorXd moved = theta;
      const double step = theta(j) + kStep <= std::log(constant(j).high) ? kStep : -kStep;
      moved(j) += step;
      J.col(j) = (residuals(moved, predict(moved)) - at_theta) / step;
    }
    return J;
  }

 private:
  const FitProblem& problem_;
};

// The readings, or the best of some draws around them where constants are searched.
VectorXd best_start(const Whitened& whitened) {
  const auto cost = [&](const VectorXd& theta) {
    return whitened.residuals(theta, whitened.predict(theta)).squaredNorm();
  };
  VectorXd best = whitened.clamp(whitened.start());
  bool is_searched = false;
  for (Eigen::Index j = 0; j < whitened.constants(); ++j)
    is_searched = is_searched || whitened.constant(j).is_searched;
  if (!is_searched) return best;
  double least = cost(best);
  Rng draws = Rng(1).stream("starts");
  for (int start = 0; start < kStarts; ++start) {
    VectorXd theta = whitened.start();
    for (Eigen::Index j = 0; j < whitened.constants(); ++j)
      if (whitened.constant(j).is_searched)
        theta(j) += (2 * draws.uniform() - 1) * kStartSigmas * whitened.constant(j).log_sigma;
    theta = whitened.clamp(theta);
    const double now = cost(theta);
    if (now >= least) continue;
    least = now;
    best = theta;
  }
  return best;
}

}  // namespace

FitSolution solve_fit(const FitProblem& problem) {
  const Whitened whitened(problem);
  VectorXd theta = best_start(whitened);
  std::vector<double> predicted = whitened.predict(theta);
  VectorXd r = whitened.residuals(theta, predicted);
  MatrixXd J = whitened.jacobian(theta, r);
  double lambda = kLambdaStart;
  FitSolution solution;
  for (; solution.iterations < kMostIterations && lambda < kLambdaMost; ++solution.iterations) {
    if (problem.progress) problem.progress(solution.iterations, r.squaredNorm());
    const MatrixXd normal = J.transpose() * J;
    const MatrixXd damped = normal + lambda * MatrixXd(normal.diagonal().asDiagonal());
    const VectorXd candidate = whitened.clamp(theta - damped.ldlt().solve(J.transpose() * r));
    std::vector<double> tried = whitened.predict(candidate);
    const VectorXd tried_r = whitened.residuals(candidate, tried);
    if (tried_r.squaredNorm() >= r.squaredNorm()) {
      lambda *= 10;
      continue;
    }
    const bool enough = r.squaredNorm() - tried_r.squaredNorm() < kEnough * r.squaredNorm();
    theta = candidate;
    r = tried_r;
    predicted = std::move(tried);
    if (enough) break;
    J = whitened.jacobian(theta, r);
    lambda = std::max(lambda / 10, 1e-9);
  }

  const Eigen::Index n = whitened.observations();
  const MatrixXd covariance = (J.transpose() * J).inverse();
  // Effective degrees of freedom: the trace of the matrix that maps observations to predictions.
  const MatrixXd seen = J.topRows(n);
  solution.freedom_used = (seen * covariance * seen.transpose()).trace();
  const double left = std::max(1.0, static_cast<double>(n) - solution.freedom_used);
  solution.residual_sigma = problem.noise * std::sqrt(r.head(n).squaredNorm() / left);
  for (Eigen::Index j = 0; j < theta.size(); ++j) {
    solution.values.push_back(std::exp(theta(j)));
    const VectorXd row = covariance.row(j);
    solution.log_covariance.emplace_back(row.begin(), row.end());
  }
  solution.predicted = std::move(predicted);
  return solution;
}

}  // namespace epsim
