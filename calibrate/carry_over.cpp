#include "calibrate/carry_over.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "sim/base/input_error.hpp"

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

ConstantSet carry_hardware(const Calibration& measured, const UnmeasuredSystem& system) {
  ConstantSet carried;
  for (const ConstantSpec& spec : hardware_constants())
    carried.put(carry(measured.hardware, spec, system, measured.system));
  for (const Constant& constant : system.priors.network.all()) carried.put(constant);
  return carried;
}

// The family that is carried over, or nothing where the priors alone have to do.
const KernelFamily* find_source(const Calibration& measured, const std::string& name) {
  for (const KernelFamily& family : measured.families)
    if (family.name == name) return &family;
  return nullptr;
}

ConstantSet carry_family(const Calibration& measured,
                         const CarriedFamily& kernel,
                         const UnmeasuredSystem& system) {
  const FamilyKind* kind = find_family(kernel.name);
  if (kind == nullptr)
    throw InputError("--kernel", "", fmt::format("unknown kernel family \"{}\"", kernel.name));
  const std::string& from = kernel.from.empty() ? kernel.name : kernel.from;
  const KernelFamily* source = find_source(measured, from);
  ConstantSet carried;
  for (const ConstantSpec& spec : kind->constants()) {
    if (const Constant* prior = system.priors.find(kernel.name, spec.name))
      carried.put(*prior);
    else if (source != nullptr && source->constants.contains(spec.name))
      carried.put(
          carry(source->constants, spec, system, fmt::format("{} on {}", from, measured.system)));
    else
      throw InputError(
          "calibration " + measured.system,
          "/families/" + from,
          fmt::format("expected {} for {}, found neither it nor a prior", spec.name, kernel.name));
  }
  return carried;
}

}  // namespace

Readings carry_over(const Calibration& measured, const UnmeasuredSystem& system) {
  Readings readings{.system = system.name,
                    .topology = system.topology,
                    .hardware = carry_hardware(measured, system),
                    .families = {}};
  for (const CarriedFamily& kernel : system.kernels)
    readings.families.emplace_back(kernel.name, carry_family(measured, kernel, system));
  return readings;
}

}  // namespace epsim
