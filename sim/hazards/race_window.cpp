#include "sim/hazards/race_window.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

class WindowSearch {
 public:
  WindowSearch(const Plan& plan,
               const Topology& topology,
               std::span<const RacePair> pairs,
               const RaceOptions& options)
      : plan_(plan), topology_(topology), pairs_(pairs), options_(options), gaps_(pairs.size()) {
    for (const RacePair& pair : pairs)
      check(pair.first < plan.operations.size() && pair.second < plan.operations.size(),
            "a race is between operations of the plan");
  }

  std::vector<std::optional<RaceWindow>> search() {
    run(plan_, [](RaceWindow& window, double gap) { window = {gap, gap}; });
    const auto take_least = [](RaceWindow& window, double gap) {
      window.least_gap_us = std::min(window.least_gap_us, gap);
    };
    for (const std::uint32_t rank : racing_ranks()) {
      if (runs_ >= options_.most_runs) return std::move(gaps_);
      delayed_.rank_start[rank] += options_.late;
      run(delayed_, take_least);
      delayed_.rank_start[rank] -= options_.late;
    }
    std::set<std::uint32_t> stalled;
    for (const RacePair& pair : pairs_) {
      if (runs_ >= options_.most_runs) break;
      if (!stalled.insert(pair.first).second) continue;
      std::uint32_t& time = delayed_.operations[pair.first].time;
      const std::uint32_t planned = time;
      const std::int64_t longer = std::int64_t{planned} + options_.late.count();
      time = static_cast<std::uint32_t>(
          std::min<std::int64_t>(longer, std::numeric_limits<std::uint32_t>::max()));
      run(delayed_, take_least);
      time = planned;
    }
    return std::move(gaps_);
  }

 private:
  template <typename Take>
  void run(const Plan& plan, Take take) {
    const Timeline timeline = execute(plan, topology_, {.fluid_fabric = options_.fluid_fabric});
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const Instant end = timeline.end[pairs_[i].first];
      const Instant start = timeline.start[pairs_[i].second];
      if (end == Timeline::kNever || start == Timeline::kNever) continue;
      if (&plan == &plan_) gaps_[i].emplace();
      if (gaps_[i]) take(*gaps_[i], to_us(start - end));
    }
    if (&plan == &delayed_) ++runs_;
  }

  // Ranks of both ends of every pair, each once.
  [[nodiscard]] std::set<std::uint32_t> racing_ranks() const {
    std::set<std::uint32_t> ranks;
    for (const Agent& agent : plan_.agents) {
      const std::uint32_t end = agent.first_operation + agent.operation_count;
      const auto holds = [&](std::uint32_t operation) {
        return operation >= agent.first_operation && operation < end;
      };
      for (const RacePair& pair : pairs_)
        if (holds(pair.first) || holds(pair.second)) ranks.insert(plan_.rank_of(agent).value);
    }
    return ranks;
  }

  const Plan& plan_;
  Plan delayed_ = plan_;
  const Topology& topology_;
  std::span<const RacePair> pairs_;
  const RaceOptions& options_;
  std::vector<std::optional<RaceWindow>> gaps_;
  std::size_t runs_ = 0;
};

}  // namespace

std::vector<std::optional<RaceWindow>> race_windows(const Plan& plan,
                                                    const Topology& topology,
                                                    std::span<const RacePair> pairs,
                                                    const RaceOptions& options) {
  if (pairs.empty()) return {};
  return WindowSearch(plan, topology, pairs, options).search();
}

}  // namespace epsim
