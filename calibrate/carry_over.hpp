// carry_over: readings of a system that nobody has measured, from the calibration of one that was
// and from priors.
//
// A constant follows a fact that the datasheets of both systems state, or stays as it is; either
// way it is a guess, says so in its source, and may be twice or half as large.
#pragma once

#include <string>
#include <vector>

#include "calibrate/priors.hpp"
#include "models/calibration.hpp"

namespace epsim {

// How much more of it the unmeasured system has, by its datasheet.
struct DatasheetRatios {
  double hbm_bandwidth = 1;
  double sm_count = 1;
};

// A family, and the one of the measured system that is most like it.
struct CarriedFamily {
  std::string name;
  std::string from{};  // empty: the same
};

struct UnmeasuredSystem {
  std::string name;
  std::string topology;                // its preset
  std::vector<CarriedFamily> kernels;  // families to carry over
  DatasheetRatios ratios;
  Priors priors{};  // go before what is carried over
};

// Throws InputError for a family of which `measured` and the priors together lack a constant.
[[nodiscard]] Readings carry_over(const Calibration& measured, const UnmeasuredSystem& system);

}  // namespace epsim
