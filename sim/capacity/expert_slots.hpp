// expert_slots: the load on a model's experts that a capacity question supposes.
#pragma once

#include "models/expert_load.hpp"
#include "sim/capacity/capacity_plan.hpp"

namespace epsim {

// Even where the routing's name means that no expert is likelier than another; else counted in a
// routing drawn from the question's seed, or read from its file. Throws InputError for a name that
// says nothing of the load (own experts, the same for all) or a file of another model.
[[nodiscard]] ExpertShares expert_shares(const CapacityQuestion& question);

// Whether any expert has more than another beyond rounding.
[[nodiscard]] bool is_uneven(const ExpertShares& shares);

}  // namespace epsim
