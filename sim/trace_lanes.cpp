#include "sim/trace_lanes.hpp"

#include <algorithm>

namespace epsim {
namespace {

// From its first instruction to its last operation's end.
struct Stay {
  std::uint32_t agent;
  Instant start;
  Instant end;
};

// In order of their start, each takes the first lane that is free.
TraceRole pack(RankId rank, Role role, std::vector<Stay> stays, std::uint32_t most_lanes) {
  TraceRole packed{.rank = rank,
                   .role = role,
                   .agent_count = static_cast<std::uint32_t>(stays.size()),
                   .shown = {}};
  std::stable_sort(
      stays.begin(), stays.end(), [](const Stay& a, const Stay& b) { return a.start < b.start; });
  std::vector<Instant> free;  // one a lane
  for (const Stay& stay : stays) {
    const auto lane =
        std::find_if(free.begin(), free.end(), [&](Instant since) { return since <= stay.start; });
    if (lane == free.end() && free.size() == most_lanes) continue;
    packed.shown.push_back({stay.agent, static_cast<std::uint32_t>(lane - free.begin())});
    if (lane == free.end())
      free.push_back(stay.end);
    else
      *lane = stay.end;
  }
  packed.lane_count = static_cast<std::uint32_t>(free.size());
  return packed;
}

}  // namespace

std::vector<TraceRole> trace_lanes(const Plan& plan,
                                   const Timeline& timeline,
                                   std::uint32_t most_lanes) {
  std::vector<std::vector<Stay>> stays(plan.rank_count * kRoleNames.size());
  for (std::uint32_t a = 0; a < plan.agents.size(); ++a) {
    const Agent& agent = plan.agents[a];
    if (agent.operation_count == 0) continue;
    Instant end = timeline.agent_start[a];
    for (std::uint32_t i = 0; i < agent.operation_count; ++i)
      end = std::max(end, timeline.end[agent.first_operation + i]);
    stays[plan.rank_of(agent).index() * kRoleNames.size() + static_cast<std::size_t>(agent.role)]
        .push_back({a, timeline.agent_start[a], end});
  }
  std::vector<TraceRole> roles;
  for (std::size_t i = 0; i < stays.size(); ++i) {
    if (stays[i].empty()) continue;
    const RankId rank{static_cast<std::uint32_t>(i / kRoleNames.size())};
    roles.push_back(
        pack(rank, static_cast<Role>(i % kRoleNames.size()), std::move(stays[i]), most_lanes));
  }
  return roles;
}

std::vector<PhaseStretch> phase_stretches(const Plan& plan,
                                          const Timeline& timeline,
                                          const Agent& agent) {
  std::vector<PhaseStretch> stretches;
  const std::uint32_t end = agent.first_operation + agent.operation_count;
  for (std::uint32_t i = agent.first_operation; i < end;) {
    const Phase phase = plan.operations[i].phase;
    std::uint32_t next = i + 1;
    while (next < end && plan.operations[next].phase == phase) ++next;
    // A load lands in the background: its agent goes on at once.
    const Instant finish = next < end ? timeline.start[next] : timeline.end[next - 1];
    stretches.push_back({phase, i, next, timeline.start[i], finish});
    i = next;
  }
  return stretches;
}

}  // namespace epsim
