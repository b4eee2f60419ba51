// memory_use: what a rank's memory holds when a model is served by a deployment.
#pragma once

#include <cstdint>

#include "models/deployment.hpp"
#include "models/model_description.hpp"
#include "sim/capacity/capacity_plan.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// Weights, the cache of all sequences that are served at once at their longest, the buffers of the
// exchange, and what a layer computes with at its widest. `imbalance`: rows of the busiest rank's
// experts over the mean. What a runtime keeps for itself, such as its context and its captured
// graphs, is left to `memory_share`.
[[nodiscard]] MemoryUse memory_use(const ModelDescription& model,
                                   const Deployment& deployment,
                                   ServingPhase phase,
                                   const ServedLengths& lengths,
                                   const GpuSpec& gpu,
                                   double memory_share,
                                   std::uint32_t ranks_per_host,
                                   double imbalance = 1);

}  // namespace epsim
