// How a checker names what a plan holds: agents by rank, kernel, CTA and role, locations by buffer.
#pragma once

#include <vector>

#include "models/plan.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

// The plan must outlive the names. `operations` are those of the program that it became.
[[nodiscard]] SyncNames plan_names(const Plan& plan, const std::vector<SyncOp>& operations);

}  // namespace epsim
