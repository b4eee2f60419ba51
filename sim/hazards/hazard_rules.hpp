// Hazard rules: what each kind of hazard is, for readers who meet it for the first time, as the
// rule table of a SARIF file tells them.
#pragma once

#include <span>
#include <string_view>

#include "sim/hazards/finding.hpp"

namespace epsim {

struct HazardRule {
  HazardKind kind;
  std::string_view name;     // as SARIF wants it: StaleRead
  std::string_view summary;  // one sentence
  std::string_view help;     // what it does, and what usually closes it
};

// One a HazardKind, in the enum's order.
[[nodiscard]] std::span<const HazardRule> hazard_rules();

}  // namespace epsim
