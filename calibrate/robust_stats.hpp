// robust_stats: medians and quantiles, which a few bad samples cannot move.
#pragma once

#include <span>

namespace epsim {

struct Quantiles {
  double p10 = 0;
  double median = 0;
  double p90 = 0;
};

// By linear interpolation between order statistics. Throw Bug without samples.
[[nodiscard]] double quantile(std::span<const double> samples, double q);
[[nodiscard]] Quantiles quantiles(std::span<const double> samples);

}  // namespace epsim
