// Causality: what each agent knows at each step of a schedule, by PTX's rules: release and acquire
// patterns with scopes, barriers, edges of the CUDA API, completions of asynchronous copies. Which
// of them count is an assumption, so that a hazard can say under which one it would be none.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "sim/hazards/causal_clock.hpp"
#include "sim/hazards/schedule.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

enum class ProxyRule : std::uint8_t {
  strict,   // a fence counts in the CTA of the access that goes by the other proxy
  lenient,  // a fence counts anywhere between the two
  ignored,  // all accesses go one way
};

struct Assumptions {
  ProxyRule proxies = ProxyRule::strict;
  bool platform_holds = false;  // conditional edges count
  bool any_strength = false;    // every signal releases, every wait acquires, at every scope
};

// An access as a later one sees it: where its agent or engine stood, and by which proxy it went.
struct AccessAt {
  std::uint32_t axis = 0;
  std::uint32_t index = 0;  // on the axis
  std::uint32_t agent = 0;
  std::uint32_t op = 0;
  Proxy proxy = Proxy::generic;
  bool by_engine = false;
};

class Causality {
 public:
  Causality(const SyncProgram& program, const Schedule& schedule, const Assumptions& assumptions);

  void perform(const Step& step);

  // Whether `agent`, where it stands, must see `earlier` when it accesses `space` by `proxy`.
  [[nodiscard]] bool sees(std::uint32_t agent,
                          Proxy proxy,
                          MemorySpace space,
                          const AccessAt& earlier) const;
  // Whether `earlier` happened before, whatever the proxies.
  [[nodiscard]] bool knows(std::uint32_t agent, const AccessAt& earlier) const;
  // Whether an edge of the CUDA API lies between.
  [[nodiscard]] bool knows_by_api(std::uint32_t agent,
                                  MemorySpace space,
                                  const AccessAt& earlier) const;

  // The accesses of an agent's operation, and those of an engine that it issues.
  [[nodiscard]] AccessAt access_of(std::uint32_t agent, std::uint32_t op) const;
  [[nodiscard]] AccessAt engine_read(std::uint32_t agent, std::uint32_t op) const;
  [[nodiscard]] AccessAt engine_write(std::uint32_t agent, std::uint32_t op) const;

 private:
  // What a release hands on.
  struct Snapshot {
    CausalClock clock;
    ClockEntry own{};
    std::array<CausalClock, 2> beyond;  // by space: what an API edge or a lenient fence has covered
  };
  struct Head {
    std::shared_ptr<const Snapshot> snapshot;
    Scope scope = Scope::sys;
    std::uint32_t agent = 0;
    bool api = false;
    std::uint16_t condition = 0;  // counted from 1; 0: none
  };
  using Heads = std::vector<Head>;
  struct Signal {
    std::uint32_t agent;
    std::uint32_t op;
    std::uint64_t reached;  // by this agent, with this signal
    Heads heads;
  };
  struct FlagState {
    // Counter. Walked through to join what each writer handed over: a union has no order.
    std::unordered_map<std::uint32_t, std::vector<Signal>> by_writer;
    std::vector<Signal> words;                 // word: in order
    std::vector<Heads> steps;                  // progress
    std::shared_ptr<const Snapshot> complete;  // all API signals, when no more will come
    std::size_t resets = 0;
    Scope least_scope = Scope::sys;  // of all signals since the reset
    std::optional<Place> anywhere;   // of the first of them
    Scope span = Scope::cta;         // that reaches from it to all others
  };
  struct Fence {
    std::uint32_t op;
    Order order;
    std::shared_ptr<const Snapshot> snapshot;
  };
  struct FenceLog {  // of one agent, by space
    std::uint32_t agent;
    Proxy proxy;
    std::array<std::vector<Fence>, 2> by_space;
  };
  struct AgentState {
    CausalClock clock;
    std::array<CausalClock, 2> beyond;
    std::uint32_t index = 0;  // of the newest operation begun
    std::uint32_t issued_stores = 0;
    std::array<std::shared_ptr<const Snapshot>, 4> releases;  // at its newest fence of each scope
    Heads pending;  // acquired by relaxed waits, until a fence
  };
  struct EngineAxes {
    std::uint32_t read_axis, write_axis, index;
  };
  struct BarrierState {
    std::vector<std::pair<std::uint32_t, std::shared_ptr<const Snapshot>>> arrived;  // by agent
    std::shared_ptr<const Snapshot> open;
    std::uint32_t meeting = 0;  // that `open` is of
  };

  [[nodiscard]] static constexpr std::uint64_t pair_key(std::uint32_t a, std::uint32_t b) {
    return std::uint64_t{a} << 32 | b;
  }
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot(std::uint32_t agent) const;
  [[nodiscard]] bool reaches(Scope scope, std::uint32_t from, std::uint32_t to) const;
  [[nodiscard]] Heads heads_of_signal(std::uint32_t agent, const SyncOp& op) const;
  [[nodiscard]] bool fenced_towards(std::uint32_t agent,
                                    Proxy proxy,
                                    MemorySpace space,
                                    const AccessAt& earlier) const;
  [[nodiscard]] bool fenced_at_source(const AccessAt& earlier,
                                      MemorySpace space,
                                      const Snapshot& known) const;

  void join(std::uint32_t agent, const Snapshot& other);
  void join_heads(std::uint32_t agent, const SyncOp& op, const Heads& heads);
  void join_api(std::uint32_t agent, const Snapshot& other);
  void signal(std::uint32_t agent, std::uint32_t op);
  void note_signaller(FlagState& flag, std::uint32_t agent, Scope scope);
  void wait(std::uint32_t agent, std::uint32_t op);
  [[nodiscard]] bool is_observed(const FlagState& flag,
                                 std::uint32_t agent,
                                 const SyncOp& op) const;
  void wait_counter(std::uint32_t agent, const SyncOp& op, FlagState& flag);
  void wait_progress(std::uint32_t agent, const SyncOp& op, const FlagState& flag);
  void wait_word(std::uint32_t agent, std::uint32_t op, const FlagState& flag);
  [[nodiscard]] std::shared_ptr<const Snapshot> union_of(
      const std::vector<std::shared_ptr<const Snapshot>>& snapshots) const;
  void fence(std::uint32_t agent, const SyncOp& op);
  void proxy_fence(std::uint32_t agent, std::uint32_t op);
  void issue(std::uint32_t agent, std::uint32_t op);
  void wait_group(std::uint32_t agent, const SyncOp& op);
  void meet(const Step& step, BarrierState& barrier);

  const SyncProgram& program_;
  const Schedule& schedule_;
  Assumptions assumptions_;
  std::vector<AgentState> agents_;
  std::vector<FlagState> flags_;
  std::vector<BarrierState> barriers_;
  std::unordered_map<std::uint32_t, BarrierState> communicators_;    // looked up only
  std::unordered_map<std::uint32_t, std::vector<FenceLog>> fences_;  // by CTA
  std::vector<EngineAxes> engines_;                                  // by engine operation
  std::unordered_map<std::uint64_t, std::uint32_t>
      joined_;  // by agent and progress flag, looked up
};

// The smallest scope that reaches from one place to the other.
[[nodiscard]] Scope span_of(const Place& a, const Place& b);

}  // namespace epsim
