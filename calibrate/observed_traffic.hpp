// observed_traffic: which tokens an observation sent where, and the bytes that its source divided
// by a time where it states a bandwidth and no latency.
#pragma once

#include <optional>

#include "calibrate/observation.hpp"
#include "models/kernel_families.hpp"
#include "traces/routing.hpp"

namespace epsim {

// As the family's published times were taken: what "random" means there, and the picks that its
// test masks. Throws InputError, naming the observation, when it does not fit together.
[[nodiscard]] Routing routing_of(const Observation& observation,
                                 const ObservationSet& set,
                                 const FamilyKind& kind);

// Bytes of one rank, mean over ranks. Low-latency kernels: tokens times top-k times the message.
// Normal kernels within one node: rows that a rank receives, from itself too. Across nodes: rows
// that it sends, one for each (token, node) and the own node too, the "algorithmic" bandwidth.
// Nothing for kernels whose sources state no bandwidth. Throws InputError as routing_of().
[[nodiscard]] std::optional<double> stated_bytes(const Observation& observation,
                                                 const ObservationSet& set,
                                                 const FamilyKind& kind);

}  // namespace epsim
