// Network constants: what a calibration says about NICs and their way to the GPU, and the rates
// that a plan takes from it. They stand beside the hardware constants and are read in the same way.
#pragma once

#include <span>

#include "models/constants.hpp"
#include "models/plan.hpp"

namespace epsim {

[[nodiscard]] std::span<const ConstantSpec> network_constants();

// Whether a set of hardware constants has those of a network too.
[[nodiscard]] bool has_network(const ConstantSet& hardware);

// Throws Bug where there are none: who plans across hosts asks has_network() first.
[[nodiscard]] NicRates nic_rates(const ConstantSet& hardware);

}  // namespace epsim
