// derive: from raw samples to constants. A table says which point of which experiment each constant
// is read from, so that every constant names its measurement and no hand stands in between.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/measurement.hpp"
#include "models/calibration.hpp"

namespace epsim {

enum class Reading : std::uint8_t {
  median,     // of the samples
  intercept,  // of the line through the medians over an argument, at 0
  slope,      // of that line, per unit of the argument
  rate,       // one over that slope
};

struct Derivation {
  std::string_view group;     // "hardware", or a kernel family
  std::string_view constant;  // its name there
  Reading reading;
  std::string_view experiment;  // "M4"
  std::string_view series;      // "one_way_ns"
  std::string_view where;       // arguments that must match: "variant=release_acquire pollers=0|31"
  std::string_view over;        // intercept, slope, rate: the argument of the line
  double scale;                 // from the series' unit to the constant's
};

[[nodiscard]] std::span<const Derivation> derivations();

// The constant that a row reads off the files: the median over the matching points' medians, and as
// interval the lowest p10 to the highest p90; for a line, the lines through those. Throws
// InputError that names row and files when no point matches, or fewer than two for a line.
[[nodiscard]] Constant derive(const Derivation& row,
                              const std::string& unit,
                              const std::vector<Measurement>& files);

struct Derived {
  Readings readings;                 // with every derived constant in place
  std::vector<std::string> changed;  // one line each: group, name, before, now
  std::vector<std::string> kept;     // constants that no row derives
};
[[nodiscard]] Derived derive_readings(Readings readings, const std::vector<Measurement>& files);

}  // namespace epsim
