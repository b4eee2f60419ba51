#include "calibrate/carry_over.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr double kFactor = 2;  // to each side: a judgement, on the wide side

struct Follows {
  std::string_view constant;
  std::string_view like;  // the constant whose value is carried over
  double DatasheetRatios::*ratio;
  std::string_view fact;
};

// Links need no row: their rate is the topology's, and an efficiency stays.
constexpr std::array kFollows = {
    Follows{"hbm_rate", "hbm_rate", &DatasheetRatios::hbm_bandwidth, "HBM bandwidth"},
    Follows{"hbm_read_rate", "hbm_read_rate", &DatasheetRatios::hbm_bandwidth, "HBM bandwidth"},
    Follows{"l2_rate", "l2_rate", &DatasheetRatios::sm_count, "number of SMs"},
    // Rows come out of an H200's L2 more slowly than copies: they begin 16 bytes off in shared
    // memory, which halves an SM's rate there. That belongs to its SMs, not to its L2.
    Follows{"l2_read_rate", "l2_rate", &DatasheetRatios::sm_count, "number of SMs"},
};

Constant carry(const ConstantSet& measured,
               const ConstantSpec& spec,
               const UnmeasuredSystem& system,
               std::string_view from) {
  const auto follows = std::find_if(kFollows.begin(), kFollows.end(), [&](const Follows& row) {
    return row.constant == spec.name;
  });
  const bool is_scaled = follows != kFollows.end();
  const Constant& known = measured.at(is_scaled ? follows->like : spec.name);
  const double ratio = is_scaled ? system.ratios.*(follows->ratio) : 1;
  Constant constant = known;
  constant.name = spec.name;
  constant.value = std::clamp(known.value * ratio, spec.low, spec.high);
  constant.low = std::clamp(constant.value / kFactor, spec.low, spec.high);
  constant.high = std::clamp(constant.value * kFactor, spec.low, spec.high);
  constant.source = fmt::format(
      "prior: {} of {}, {:.4g} {}{}; nobody has measured it on {}",
      known.name,
      from,
      known.value,
      known.unit,
      is_scaled ? fmt::format(", times the ratio {:.4g} of the {}", ratio, follows->fact) : "",
      system.name);
  return constant;
}

ConstantSet carry_all(const ConstantSet& measured,
                      std::span<const ConstantSpec> specs,
                      const UnmeasuredSystem& system,
                      std::string_view from) {
  ConstantSet carried;
  for (const ConstantSpec& spec : specs) carried.put(carry(measured, spec, system, from));
  return carried;
}

}  // namespace

Readings carry_over(const Calibration& measured, const UnmeasuredSystem& system) {
  Readings readings{
      .system = system.name,
      .topology = system.topology,
      .hardware = carry_all(measured.hardware, hardware_constants(), system, measured.system),
      .families = {}};
  for (const std::string& name : system.kernels) {
    const KernelFamily& family = measured.family(name);
    readings.families.emplace_back(
        name, carry_all(family.constants, find_family(name)->constants(), system, measured.system));
  }
  return readings;
}

}  // namespace epsim
