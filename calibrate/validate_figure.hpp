// A figure of predicted against measured latencies: logarithmic axes, the diagonal, a band of 10 %,
// a mark a record, filled where the fit saw it. SVG text, no fonts or scripts from elsewhere.
#pragma once

#include <string>
#include <vector>

#include "calibrate/validate.hpp"

namespace epsim {

[[nodiscard]] std::string validation_svg(const std::vector<ValidationRecord>& records);

}  // namespace epsim
