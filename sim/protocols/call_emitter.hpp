// CallEmitter: a SyncProgram being written, agent by agent, in whatever order the calls come, with
// words for everything in it. CallSteps say which call each operation belongs to.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "sim/hazards/sync_program.hpp"
#include "sim/protocols/call_sequence.hpp"

namespace epsim {

// What an operation does for its call.
enum class CallRole : std::uint8_t {
  launch,  // an edge of the CUDA API: launches, events, waits of the CPU
  stage,   // rows are prepared in local memory
  clear,   // a word is zeroed
  write,   // memory is written
  signal,  // a word is set
  wait,    // a word is waited for
  read,    // memory is read
  end,     // memory is freed
  meet,    // a barrier or a collective
};

struct CallStep {
  std::uint32_t call = 0;
  std::uint32_t rank = 0;
  CallRole role{};
  std::uint32_t replay = 0;  // of the graph that holds the call, from 1; 0: no graph
  std::string text;
};

struct CallProgram {
  SyncProgram program;          // its times only say which call comes first in the file
  std::vector<CallStep> steps;  // one an operation
  std::uint64_t pauses = 0;     // operations that only pass the time until the next call
};

class CallEmitter {
 public:
  // The agent of that name, made when first asked for. Its place is of no other agent.
  [[nodiscard]] std::uint32_t agent(AgentKind kind, std::uint32_t gpu, const std::string& name);
  [[nodiscard]] std::uint32_t flag(const std::string& name, FlagOrder order = FlagOrder::word);
  [[nodiscard]] std::uint32_t location(const std::string& name, bool initialised = false);
  [[nodiscard]] std::uint32_t barrier(std::uint32_t members);
  [[nodiscard]] std::uint32_t communicator(const std::string& name, std::uint32_t members);
  [[nodiscard]] std::uint16_t condition(const PlatformCondition& condition);

  // The operations that follow belong after all that began earlier, so that the schedule that is
  // checked first is the one in which everybody does the calls in the order of the file.
  void begin(std::int64_t moment) { moment_ = moment; }
  void emit(std::uint32_t agent, const SyncOp& op, CallStep step);

  [[nodiscard]] std::size_t operations() const { return operations_; }

  // An edge of the CUDA API: `from` sets a flag of its own, for which others may wait.
  [[nodiscard]] std::uint32_t api_signal(std::uint32_t from, CallStep step);
  void api_wait(std::uint32_t agent, std::uint32_t flag, CallStep step);

  [[nodiscard]] CallProgram take(const CallSequence& sequence);

 private:
  struct AgentOps {
    std::string name;
    SyncAgent agent;
    std::vector<SyncOp> ops;
    std::vector<CallStep> steps;
    std::vector<std::int64_t> moments;
  };

  std::int64_t moment_ = 0;
  std::size_t operations_ = 0;
  std::vector<AgentOps> agents_;
  std::map<std::string, std::uint32_t> agent_of_;
  std::vector<std::string> flag_names_, location_names_, communicator_names_;
  SyncProgram program_;
};

}  // namespace epsim
