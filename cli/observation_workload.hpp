// What an observation was measured on, as a workload that can be predicted.
#pragma once

#include <memory>
#include <string>

#include "calibrate/observation.hpp"
#include "models/kernel_families.hpp"
#include "models/workload.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// Rank r of the observation runs on GPU r. Throws InputError, naming the observation, when it does
// not fit its kernel or the topology.
[[nodiscard]] Workload workload_of(const Observation& observation,
                                   const ObservationSet& set,
                                   const FamilyKind& kind,
                                   const std::shared_ptr<const Topology>& topology);

}  // namespace epsim
