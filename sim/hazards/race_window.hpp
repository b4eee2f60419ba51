// Race window: how long before an operation the one that it races with has ended, as the plan runs
// and as it runs when somebody is late. What a happens-before graph cannot say: how close it is.
//
// The gap of a pair is the start of the second operation less the end of the first, on one clock.
// A put ends when its last byte has left the SM, a load when its row has landed, a signal when it
// has been sent. A gap that stays positive whoever is late rests on waits that have other reasons,
// or on luck; a negative one is a race that the second operation wins.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/plan.hpp"
#include "sim/execute.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// Indices of operations of the plan, in the order that the program means.
struct RacePair {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
};

struct RaceWindow {
  double gap_us = 0;  // as planned
  // The least of that and of the gaps when the first operation's rank starts late, when the
  // second's does, and when the first operation itself takes that much longer.
  double least_gap_us = 0;
};

struct RaceOptions {
  Duration late = std::chrono::microseconds{20};
  std::size_t most_runs = 24;  // beyond the planned one; pairs that find none left keep its gap
  bool fluid_fabric = false;
};

// One a pair; none where an operation never runs.
[[nodiscard]] std::vector<std::optional<RaceWindow>> race_windows(const Plan& plan,
                                                                  const Topology& topology,
                                                                  std::span<const RacePair> pairs,
                                                                  const RaceOptions& options = {});

}  // namespace epsim
