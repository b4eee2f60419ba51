// Perfetto trace: timelines as Chrome trace events, to open in ui.perfetto.dev.
//
// A process is a rank: its kernels, one track a role and lane, and a counter for each link that
// begins or ends at its GPU. A role has thousands of agents and a person a few lanes: agents are
// packed into as many lanes as overlap, up to kTraceLanes; the track names how many there are.
// One more process holds the critical path.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "sim/prediction.hpp"
#include "topologies/topology.hpp"

namespace epsim {

inline constexpr std::uint32_t kTraceLanes = 8;

// The predictions one after the other; each was executed with record_link_uses.
[[nodiscard]] std::string perfetto_trace(std::span<const Prediction> predictions,
                                         const Topology& topology);

}  // namespace epsim
