// Conflicts: pairs of operations that a program leaves unordered, under given assumptions about
// what orders.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/hazards/causality.hpp"
#include "sim/hazards/finding.hpp"

namespace epsim {

struct Conflict {
  HazardKind kind;
  std::uint32_t first_agent, first_op;  // in the order that the program means
  std::uint32_t second_agent, second_op;
  std::uint32_t subject;  // location, flag, barrier or communicator
  bool first_by_engine = false, second_by_engine = false;
  Proxy first_proxy = Proxy::generic, second_proxy = Proxy::generic;
};

struct Conflicts {
  std::vector<Conflict> all;
  std::uint64_t compared = 0;  // pairs of accesses that were looked at
  // A wait saw a word that it knows to be overwritten: no execution runs like this.
  bool impossible = false;
};

[[nodiscard]] Conflicts find_conflicts(const SyncProgram& program,
                                       const Schedule& schedule,
                                       const Assumptions& assumptions);

}  // namespace epsim
