// observe: from the raw samples of our own kernels to observations that a fit and a validation
// take.
#pragma once

#include <string_view>
#include <vector>

#include "calibrate/measurement.hpp"
#include "calibrate/observation.hpp"

namespace epsim {

// Single operations of fused low-latency points (M18, packed stages) of every file, medians over their samples, as
// records of family epsim-ll on `system`. Held out, whatever they measure: 256 and 512 tokens,
// top-k 4, and two ranks. Throws InputError when a file holds no such point.
[[nodiscard]] ObservationSet observe_low_latency(const std::vector<Measurement>& files,
                                                 std::string_view system);

}  // namespace epsim
