// OrderGraph: the steps by which one operation comes before another, for a reader to follow.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "sim/hazards/schedule.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

class OrderGraph {
 public:
  OrderGraph(const SyncProgram& program, const Schedule& schedule);

  struct Stop {
    std::uint32_t agent;
    std::uint32_t op;
  };
  // Operations of a shortest chain from `first` to `second`: the ends, every signal, wait and
  // barrier by which it goes from agent to agent, and the fences that it passes. Empty if no chain
  // leads there. Scopes, proxies and conditions are not looked at. With `first_by_engine`, the
  // chain starts at the completion of the copy that `first` issued.
  [[nodiscard]] std::vector<Stop> path(Stop first, Stop second, bool first_by_engine) const;

 private:
  struct Edge {
    Stop from;
    bool from_engine;  // the copy that it issued completed; nothing before the issue comes along
  };
  struct Found {
    Stop at;  // in the agent that was reached
    Stop reached_from;
    std::size_t parent;  // index of the stop that the edge led to
  };

  struct Arrival {
    Stop at;
    std::uint64_t reached;  // of the flag, by this writer
    bool by_engine;
  };

  void add(const Step& step, const SyncOp& op);
  void add_arrival(std::uint32_t flag,
                   std::uint32_t position,
                   std::uint32_t writer,
                   Arrival arrival);
  void add_group(const Step& step, const SyncOp& op);
  void add_wait(const Step& step, const SyncOp& op);
  void add_counter(const Step& step, const SyncOp& op);
  void expand(std::uint32_t op, std::vector<Edge>& edges) const;

  struct FlagState {
    // Walked through for edges, which are sorted then.
    std::unordered_map<std::uint32_t, std::vector<Arrival>> by_writer;
    std::vector<std::vector<Arrival>> steps;
    std::size_t resets = 0;
  };

  const SyncProgram& program_;
  const Schedule& schedule_;
  std::vector<FlagState> flags_;
  std::unordered_map<std::uint32_t, std::vector<Edge>> incoming_;  // by operation
  std::unordered_map<std::uint32_t, std::uint32_t> meeting_of_;    // by operation
  std::vector<std::vector<Stop>> meetings_;                        // who arrived
  std::unordered_map<std::uint64_t, std::uint32_t> joined_;        // progress, as waited for
};

}  // namespace epsim
