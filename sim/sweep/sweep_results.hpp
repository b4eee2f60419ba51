// SweepResults: a complete table as text for other programs and for people.
#pragma once

#include <string>

#include "sim/sweep/scenario_sweep.hpp"

namespace epsim {

// Of the complete table at `path`, which is that of `sweep`.
[[nodiscard]] std::string sweep_results_json(const ScenarioSweep& sweep, const std::string& path);
[[nodiscard]] std::string sweep_results_csv(const ScenarioSweep& sweep, const std::string& path);
// What the sweep found, with its first rows.
[[nodiscard]] std::string sweep_results_text(const ScenarioSweep& sweep, const std::string& path);

}  // namespace epsim
