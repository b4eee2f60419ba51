// CauseIndex: what let whom go. Worked out after a run from its plan and timeline, so that the
// engine need not remember.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "models/plan.hpp"
#include "sim/timeline.hpp"
#include "topologies/topology.hpp"

namespace epsim {

class CauseIndex {
 public:
  static constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();

  // Keeps references: plan, timeline and topology outlive it. Linear in the operations.
  CauseIndex(const Plan& plan, const Timeline& timeline, const Topology& topology);

  [[nodiscard]] std::uint32_t agent_of(std::uint32_t operation) const;
  // The signal, load or posted signal that brought the flag to `count`.
  [[nodiscard]] std::uint32_t filler(std::uint32_t flag, std::uint32_t count) const;
  // The member of the barrier that came at `released`, so that all went on.
  [[nodiscard]] std::uint32_t last_arrival(std::uint32_t barrier, Instant released) const;

  // When the agent had nothing left to do. Its loads may land later, and what it posted.
  [[nodiscard]] Instant end_of(std::uint32_t agent) const;
  // The agent of a kernel that ended last; the first of equals.
  [[nodiscard]] std::uint32_t last_agent(std::uint32_t kernel) const;
  // An agent of the rank that ended at `at` and so made room on an SM, or kNobody.
  [[nodiscard]] std::uint32_t agent_that_ended(RankId rank, Instant at) const;

  // Start of the rank that starts last, where an aligned latency begins to count.
  [[nodiscard]] Duration last_rank_start() const;

 private:
  // Operations by what they refer to: those of target t stand from first[t] on.
  struct ByTarget {
    std::vector<std::uint32_t> first;
    std::vector<std::uint32_t> operations;
    [[nodiscard]] std::span<const std::uint32_t> of(std::uint32_t target) const {
      return std::span(operations).subspan(first[target], first[target + 1] - first[target]);
    }
  };
  template <typename Wanted>
  [[nodiscard]] ByTarget index(std::size_t targets, Wanted wanted) const;
  [[nodiscard]] Instant arrival_of(std::uint32_t operation) const;

  const Plan& plan_;
  const Timeline& timeline_;
  const Topology& topology_;
  ByTarget fillers_;  // by flag
  ByTarget members_;  // by barrier
};

}  // namespace epsim
