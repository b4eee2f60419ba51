// cycle_samples: from the cycle counts that the units of a kernel (its warps, its CTAs) wrote down
// side by side to one series of samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "calibrate/lab.hpp"

namespace epsim {

// counts[unit][sample][part].
struct CycleCounts {
  std::span<const std::int64_t> counts;
  std::size_t samples_per_unit;  // warm-ups among them
  std::size_t parts = 1;
};

// Sample i is the mean over all units of part `part`, ns. The first `warmups` are left out.
[[nodiscard]] std::vector<double> mean_over_units_ns(const CycleCounts& cycles,
                                                     double cycles_per_ns,
                                                     std::size_t part = 0,
                                                     std::size_t warmups = kWarmups);

// What is left of each sample above `overhead_ns`; never negative.
[[nodiscard]] std::vector<double> above_overhead(std::vector<double> samples, double overhead_ns);

// GB/s (10^9 bytes) at which `bytes` moved in each of these times.
[[nodiscard]] std::vector<double> rates_gb_per_s(std::int64_t bytes,
                                                 std::span<const double> samples_ns);

}  // namespace epsim
