#include "calibrate/experiments/cycle_samples.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace epsim {

std::vector<double> mean_over_units_ns(const CycleCounts& cycles,
                                       double cycles_per_ns,
                                       std::size_t part,
                                       std::size_t warmups) {
  const std::size_t row = cycles.samples_per_unit * cycles.parts;
  check(row > 0, "every unit counted something");
  check(cycles.counts.size() % row == 0, "all units counted the same samples");
  check(part < cycles.parts, "the part was counted");
  check(cycles_per_ns > 0, "the clock runs forward");
  const std::size_t units = cycles.counts.size() / row;
  check(units > 0, "at least one unit counted");
  std::vector<double> samples;
  for (std::size_t i = warmups; i < cycles.samples_per_unit; ++i) {
    double sum = 0;
    for (std::size_t unit = 0; unit < units; ++unit)
      sum += static_cast<double>(cycles.counts[unit * row + i * cycles.parts + part]);
    samples.push_back(sum / static_cast<double>(units) / cycles_per_ns);
  }
  return samples;
}

std::vector<double> above_overhead(std::vector<double> samples, double overhead_ns) {
  for (double& sample : samples) sample = std::max(0.0, sample - overhead_ns);
  return samples;
}

std::vector<double> rates_gb_per_s(std::int64_t bytes, std::span<const double> samples_ns) {
  std::vector<double> rates;
  for (const double ns : samples_ns) {
    check(ns > 0, "moving bytes takes time");
    rates.push_back(static_cast<double>(bytes) / ns);  // bytes a ns are GB a second
  }
  return rates;
}

}  // namespace epsim
