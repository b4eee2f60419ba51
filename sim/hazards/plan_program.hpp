// A plan as a program of the happens-before checker: the same operations, for what they touch and
// order instead of for what they take.
#pragma once

#include "models/plan.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

// The plan must have recorded its accesses (Workload::record_accesses), else nothing is touched and
// nothing found. The names refer to the plan, which must outlive the program. SyncOp::source is the
// plan's operation, or kNone where a kernel begins or ends.
[[nodiscard]] SyncProgram plan_sync_program(const Plan& plan);

}  // namespace epsim
