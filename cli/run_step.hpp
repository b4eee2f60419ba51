// run_step_scenario: what `epsim run` does with a scenario that has a schedule.
#pragma once

#include <string>

#include "sim/scenario.hpp"

namespace epsim {

// `trace` and `json` as the verb's options, or empty.
void run_step_scenario(const Scenario& scenario, const std::string& trace, const std::string& json);

}  // namespace epsim
