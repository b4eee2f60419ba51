// Schedule: one order in which a program's operations can run, and what every order shares: how
// much each agent adds to each flag. Where times are given it is the order of time.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "sim/hazards/sync_program.hpp"

namespace epsim {

// A barrier or collective is two steps: everybody arrives, then everybody leaves.
enum class StepPart : std::uint8_t { whole, arrive, leave };

struct Step {
  std::uint32_t agent;
  std::uint32_t op;
  StepPart part;
  std::uint32_t meeting = 0;  // leaving a collective: index into Schedule::meetings
};

// What each writer adds to a counter between two resets of it. Every engine operation is a writer
// of its own, numbered after the agents: copies land in any order.
struct FlagShares {
  std::uint64_t total = 0;
  std::unordered_map<std::uint32_t, std::uint64_t> by_writer;  // looked up only
};

// Members of a communicator that met in different collectives.
struct CollectiveMismatch {
  std::uint32_t first_agent, first_op, second_agent, second_op;
};

struct Schedule {
  std::vector<Step> steps;
  std::vector<Step> stuck;  // agents that never end, each at the operation that it waits in
  // By flag and by how often it was reset before.
  std::vector<std::vector<FlagShares>> shares;
  std::vector<std::vector<std::uint32_t>> meetings;           // of collectives: the agents that met
  std::unordered_map<std::uint32_t, std::uint32_t> observed;  // wait for a word: the signal it saw
  std::vector<CollectiveMismatch> mismatches;
  // Of each operation; of an issue, when its engine starts and ends. Empty without `takes`.
  std::vector<Instant> start, end;
};

// A delay before one operation, to see what a late writer does.
struct OperationDelay {
  std::uint32_t op = kNone;
  Duration time{};
};

// Which signal a wait for a word sees, where several could serve it.
using WordChoice = std::unordered_map<std::uint32_t, std::uint32_t>;  // wait: signal

[[nodiscard]] Schedule make_schedule(const SyncProgram& program,
                                     const OperationDelay& delay = {},
                                     const WordChoice& choice = {});

// One order of all operations, and one more for each other way in which racing words may be seen:
// every combination while there are at most `most`, else each race by itself. Never empty; orders
// in which a wait cannot see what it was to see are left out.
[[nodiscard]] std::vector<Schedule> make_schedules(const SyncProgram& program, std::size_t most);

}  // namespace epsim
