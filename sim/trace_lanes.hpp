// TraceLanes: which agents of a plan a picture shows, and on which line of their role.
#pragma once

#include <cstdint>
#include <vector>

#include "models/plan.hpp"
#include "sim/timeline.hpp"

namespace epsim {

// An agent that is shown.
struct TraceLane {
  std::uint32_t agent;
  std::uint32_t lane;  // from 0, of its rank and role
};

struct TraceRole {
  RankId rank;
  Role role;
  std::uint32_t lane_count = 0;
  std::uint32_t agent_count = 0;  // shown or not
  std::vector<TraceLane> shown;
};

// By rank, then role; roles without agents are left out. Agents of a lane do not overlap. One that
// finds `most_lanes` taken is not shown.
[[nodiscard]] std::vector<TraceRole> trace_lanes(const Plan& plan,
                                                 const Timeline& timeline,
                                                 std::uint32_t most_lanes);

// Operations of one phase that an agent runs one after the other, [first, end) of the plan's.
struct PhaseStretch {
  Phase phase{};
  std::uint32_t first = 0, end = 0;
  Instant start, finish;
};
[[nodiscard]] std::vector<PhaseStretch> phase_stretches(const Plan& plan,
                                                        const Timeline& timeline,
                                                        const Agent& agent);

}  // namespace epsim
