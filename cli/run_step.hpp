// run_step_scenario: what `epsim run` does with a scenario that has a schedule.
#pragma once

#include <string>

#include "sim/scenario.hpp"

namespace epsim {

// Where results of a run go: as the verb's options, or empty.
struct RunOutputs {
  std::string trace;
  std::string json;
  bool timeline = false;  // in the JSON too
};

void run_step_scenario(const Scenario& scenario, const RunOutputs& outputs);

}  // namespace epsim
