// Check of a scenario: its operations as plans, the plans as programs, the programs' hazards; and
// what only a plan can add to a finding: how close the race is, and what closing it costs.
#pragma once

#include "models/calibration.hpp"
#include "models/workload.hpp"
#include "sim/hazards/checked_file.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/scenario.hpp"

namespace epsim {

struct ScenarioCheck {
  const Scenario& scenario;
  const Workload& workload;  // of the scenario
  const Calibration& calibration;
  CheckOptions options;
};

[[nodiscard]] CheckedProgram check_operation(const ScenarioCheck& check, MoeOperation operation);

// What would break the capture of the scenario's calls into a CUDA graph.
[[nodiscard]] CheckedProgram check_capture(const Scenario& scenario);

}  // namespace epsim
