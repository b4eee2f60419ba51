// ProtocolDraft: a SyncProgram that grows while a protocol file is read, agent by agent, and
// remembers of each operation where the file has it and what to call it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

struct OpAt {
  std::uint32_t agent = 0;
  std::uint32_t op = 0;  // of that agent
};

struct DraftAgent {
  std::string name;
  AgentKind kind{};
  Place place;
  std::vector<SyncOp> ops;
  std::vector<std::string> texts;
  std::vector<Duration> takes;
};

class ProtocolDraft {
 public:
  SyncProgram program;  // all but agents and operations
  std::vector<DraftAgent> agents;
  std::vector<std::string> pointers;  // SyncOp::source

  // Operations are of this place in the file until the next call.
  void stand_at(const JsonValue& value);

  std::uint32_t add_agent(std::string name, AgentKind kind, const Place& place);
  OpAt emit(std::uint32_t agent, SyncOp op, std::string text);
  // Does nothing, for this long.
  OpAt emit_pause(std::uint32_t agent, Duration takes, std::string text);
  [[nodiscard]] SyncOp& at(OpAt where) { return agents[where.agent].ops[where.op]; }
  void pause_at(OpAt where);  // makes it an operation that does nothing
  void set_takes(OpAt where, Duration takes) { agents[where.agent].takes[where.op] = takes; }
  [[nodiscard]] std::optional<OpAt> last_of(std::uint32_t agent) const;

  std::uint32_t add_flag(FlagOrder order, std::string name);

  // Places by name; each new name is a new place.
  [[nodiscard]] std::uint32_t gpu(const std::string& name);
  [[nodiscard]] Place place(std::uint32_t gpu, const std::string& cluster, const std::string& cta);
  [[nodiscard]] Place own_place(std::uint32_t gpu);

  // Arrivals of an mbarrier, whose step of the flag is known when all are: from an agent's
  // operation, or from the copy that lands.
  void arrive(std::uint32_t flag, std::uint32_t arrivals, OpAt where, const JsonValue& value);
  void land(std::uint32_t flag,
            std::uint32_t arrivals,
            OpAt where,
            std::uint32_t engine,
            const JsonValue& value);

  struct DeclaredNames {
    std::vector<std::string> locations, flags, communicators;
  };
  [[nodiscard]] SyncProgram finish(DeclaredNames declared);
  // Index into SyncProgram::ops, once finished.
  [[nodiscard]] std::uint32_t index_of(OpAt where) const {
    return first_op_[where.agent] + where.op;
  }

 private:
  struct Arrival {
    OpAt where;
    std::optional<std::uint32_t> engine;
    JsonValue value;
  };
  struct PhaseFlag {
    std::uint32_t arrivals = 1;
    std::vector<Arrival> all;
  };

  void number_phases(std::uint32_t flag, const PhaseFlag& phases);

  std::uint32_t source_ = 0;
  std::map<std::string, std::uint32_t, std::less<>> sources_, gpus_;
  std::map<std::string, std::uint32_t, std::less<>> clusters_, ctas_;
  std::uint32_t place_count_ = 0;  // clusters and CTAs are numbered together
  std::map<std::uint32_t, PhaseFlag> phases_;
  std::vector<std::uint32_t> first_op_;
  std::vector<std::string> added_flags_;
};

}  // namespace epsim
