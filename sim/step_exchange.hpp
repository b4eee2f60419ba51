// step_exchange: a predicted dispatch or combine as a task of a step: its time, and what it takes
// of the GPU and of the links while it runs.
#pragma once

#include <string_view>

#include "models/moe_step.hpp"
#include "sim/prediction.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// `link` is one direction of what joins a GPU to the others; 0: none.
[[nodiscard]] StepExchange step_exchange(const Prediction& prediction,
                                         std::string_view family,
                                         Bandwidth link,
                                         const StepMachine& machine);

// One direction of a GPU's NVLink; 0 where there is one GPU.
[[nodiscard]] Bandwidth link_of(const Topology& topology);

}  // namespace epsim
