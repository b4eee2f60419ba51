// fit: from observations to the constants of a kernel family.
//
// Levenberg-Marquardt on the logarithms. With theta the logarithms of the free constants, it
// minimises
//   sum_i ( log(predicted_i(theta) / measured_i) / (noise doubt_i) )^2  +  sum_j ( (theta_j -
//   prior_j) / sigma_j )^2
// within bounds. The second sum is what is known beforehand: every free constant has a reading with
// an interval, and a fit may move it only as far as the observations pay for it. So few
// observations cannot bend many constants, and a constant that no observation sees keeps its
// reading.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace epsim {

struct FreeConstant {
  std::string name;
  double prior = 0;      // positive
  double log_sigma = 0;  // spread of its logarithm
  double low = 0;
  double high = 0;
  bool is_searched = false;  // little is known: the search begins where draws of these fit best
};

struct FitProblem {
  std::vector<FreeConstant> constants;
  std::vector<double> measured;  // positive; any unit, the same as the predictions
  double noise = 0.03;           // relative error of one observation and of the model's form
  std::vector<double> doubt{};   // noise of each observation in units of that; empty: 1
  // Values of the constants, in order, to one prediction an observation.
  std::function<std::vector<double>(std::span<const double>)> predict{};
  std::function<void(int iteration, double cost)> progress{};  // may be empty
};

struct FitSolution {
  std::vector<double> values;
  std::vector<double> predicted;
  std::vector<std::vector<double>> log_covariance;
  double residual_sigma = 0;  // relative; degrees of freedom that the fit used are taken off
  double freedom_used = 0;    // effective number of free constants
  int iterations = 0;
};

// Throws Bug when the problem is empty or a prediction is not positive.
[[nodiscard]] FitSolution solve_fit(const FitProblem& problem);

}  // namespace epsim
