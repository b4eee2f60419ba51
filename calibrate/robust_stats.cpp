#include "calibrate/robust_stats.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

double quantile_of_sorted(const std::vector<double>& sorted, double q) {
  check(!sorted.empty(), "a quantile has samples");
  check(q >= 0 && q <= 1, "a quantile is a share");
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

std::vector<double> sorted_copy(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

}  // namespace

double quantile(std::span<const double> samples, double q) {
  return quantile_of_sorted(sorted_copy(samples), q);
}

Quantiles quantiles(std::span<const double> samples) {
  const std::vector<double> sorted = sorted_copy(samples);
  return {quantile_of_sorted(sorted, 0.1),
          quantile_of_sorted(sorted, 0.5),
          quantile_of_sorted(sorted, 0.9)};
}

}  // namespace epsim
