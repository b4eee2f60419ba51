// observe: from the raw samples of our own kernels to observations that a fit and a validation
// take.
#pragma once

#include <string_view>
#include <vector>

#include "calibrate/measurement.hpp"
#include "calibrate/observation.hpp"

namespace epsim {

// What our own kernels took, of every file, medians over their samples, as records on `system`:
//   epsim-ll     single operations of fused low-latency points (M18, packed stages)
//   epsim-graph  calls of the graph exchange (M19)
// Held out, whatever they measure: 256 and 512 tokens and two ranks; of M18 also top-k 4, of M19
// every top-k but 1. Throws InputError when a file holds no such point.
[[nodiscard]] ObservationSet observe_kernels(const std::vector<Measurement>& files,
                                             std::string_view system);

}  // namespace epsim
