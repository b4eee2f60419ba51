// two_batch_derive: the constants of the overlap model, read off M17 (a GEMM beside a copy), the
// serial steps of M20 that are marked for fits, and the gaps of M1 and M2. Steps that overlap, and
// steps that are held out, are never looked at.
#pragma once

#include <string>
#include <vector>

#include "calibrate/measurement.hpp"
#include "models/constants.hpp"
#include "models/two_batch.hpp"

namespace epsim {

struct GemmResidual {
  std::string id;  // "M17 4096x4096x7168 reserved 8"
  double measured_us = 0;
  double predicted_us = 0;
};

struct TwoBatchConstants {
  ConstantSet constants;
  std::vector<GemmResidual> residuals;  // of the GEMM law, the only part that is a fit
};

// Throws InputError when a point is missing that a constant is read from.
[[nodiscard]] TwoBatchConstants derive_two_batch(const Measurement& measurement,
                                                 std::uint32_t sm_count);

// M20's GEMMs of fewer than two tiles of 128 rows stand for nothing: they only separate exchanges.
[[nodiscard]] bool separates_exchanges(const Point& point);

}  // namespace epsim
