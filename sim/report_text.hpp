// Report text: the reports of a scenario side by side, on one screen.
#pragma once

#include <span>
#include <string>

#include "sim/report.hpp"
#include "sim/scenario.hpp"

namespace epsim {

// Ends in one line an operation that says it all.
[[nodiscard]] std::string report_text(const Scenario& scenario, std::span<const Report> reports);

// "dispatch  31.9 us [29.8, 34.0]  bound 27.1 us  bottleneck link gpu3->nvswitch0 (93 % busy)"
[[nodiscard]] std::string summary_line(const Report& report);

// What the scenario asks, in a line or two: machine, kernel, traffic, formats.
[[nodiscard]] std::string scenario_text(const Scenario& scenario);

}  // namespace epsim
