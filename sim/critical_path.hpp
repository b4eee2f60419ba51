// CriticalPath: what the end of a run waited for, step by step back to its start.
//
// The walk begins at the operation that ended last and goes back through its agent. Where the agent
// was blocked it changes over to whoever let it go: the signal or load that brought a flag to its
// count, the member that came last to a barrier, the CTA that left its SM, the kernel before. Every
// picosecond of the latency so belongs to one phase.
//
// A put counts as its own phase for as long as its warp needs alone; what it takes beyond that (the
// SM's store path, the link's queue) is Phase::wire. The flight of a signal is Phase::signal;
// launches, and the gaps before them, are Phase::launch.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "models/plan.hpp"
#include "sim/base/units.hpp"
#include "sim/timeline.hpp"
#include "topologies/topology.hpp"

namespace epsim {

struct PathStep {
  Phase phase;
  RankId rank;  // where the time passed; a signal in flight counts to its sender
  Instant start;
  Instant end;
};

struct CriticalPath {
  std::array<Duration, kPhaseNames.size()> by_phase{};  // adds up to the aligned latency
  std::vector<PathStep> steps;  // in order of time, without gaps, from the last rank's start

  [[nodiscard]] Duration of(Phase phase) const { return by_phase[static_cast<std::size_t>(phase)]; }
};

[[nodiscard]] CriticalPath critical_path(const Plan& plan,
                                         const Timeline& timeline,
                                         const Topology& topology);

}  // namespace epsim
