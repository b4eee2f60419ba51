// HandMadePlan: a plan of a few agents written operation by operation, and what became of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "models/plan_builder.hpp"
#include "sim/execute.hpp"
#include "tests/support/round_constants.hpp"

namespace doctest {
// A failing test prints the numbers.
template <>
struct StringMaker<std::vector<std::int64_t>> {
  static String convert(const std::vector<std::int64_t>& numbers) {
    std::string text;
    for (const std::int64_t number : numbers) text += std::to_string(number) + " ";
    return text.c_str();
  }
};
}  // namespace doctest

namespace epsim {

// A builder whose agents stand alone: each is the only one of its CTA, and its CTA of its kernel.
class HandMadePlan : public PlanBuilder {
 public:
  explicit HandMadePlan(std::uint32_t ranks = 1,
                        const RankRates& rates = round_rates(),
                        std::uint32_t sms = 4)
      : PlanBuilder("hand-made", ranks, sms, rates) {}

  void agent_on(std::uint32_t rank, Duration delay = {}) {
    begin_kernel({.rank = RankId{rank}, .name = "kernel", .delay = delay});
    begin_cta();
    begin_agent(Role::sender);
  }
};

// The round topology has as many GPUs as the plan has ranks.
inline Timeline execute_round(const Plan& plan, const ExecuteOptions& options = {}) {
  return execute(plan, *round_topology({.gpus = plan.rank_count}), options);
}

// Picoseconds since the start: a number that a failing test can print.
inline std::int64_t ps(Instant moment) {
  return moment.time_since_epoch().count();
}
inline std::int64_t ps(Duration length) {
  return length.count();
}
inline std::vector<std::int64_t> ps(const std::vector<Instant>& moments) {
  std::vector<std::int64_t> numbers;
  for (const Instant moment : moments) numbers.push_back(ps(moment));
  return numbers;
}

// Indices of the operations of one kind, in the plan's order.
inline std::vector<std::size_t> operations_of_kind(const Plan& plan, OpKind kind) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < plan.operations.size(); ++i)
    if (plan.operations[i].kind == kind) found.push_back(i);
  return found;
}

// Ranks by operation index.
inline std::vector<RankId> operation_ranks(const Plan& plan) {
  std::vector<RankId> ranks;
  for (const Agent& agent : plan.agents)
    ranks.insert(ranks.end(), agent.operation_count, plan.rank_of(agent));
  return ranks;
}

}  // namespace epsim
