#include "sim/cause_index.hpp"

#include <algorithm>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

// What an operation adds to its flag.
std::uint32_t increment_of(const Operation& operation) {
  if (operation.kind == OpKind::load) return 1;
  if (operation.kind == OpKind::post_signal) return operation.detail >> kIncrementShift;
  return operation.count;
}

}  // namespace

CauseIndex::CauseIndex(const Plan& plan, const Timeline& timeline, const Topology& topology)
    : plan_(plan), timeline_(timeline), topology_(topology) {
  check(timeline.start.size() == plan.operations.size(), "a timeline is that of its plan");
  fillers_ = index(plan.flags.size(), [](OpKind kind) {
    return kind == OpKind::signal || kind == OpKind::load || kind == OpKind::post_signal;
  });
  members_ = index(plan.barriers.size(), [](OpKind kind) { return kind == OpKind::barrier; });
}

// A counting sort: each target's operations end up in the order of the plan.
template <typename Wanted>
CauseIndex::ByTarget CauseIndex::index(std::size_t targets, Wanted wanted) const {
  ByTarget table;
  table.first.resize(targets + 1);
  for (const Operation& operation : plan_.operations)
    if (wanted(operation.kind)) ++table.first[operation.target + 1];
  for (std::size_t t = 0; t < targets; ++t) table.first[t + 1] += table.first[t];
  table.operations.resize(table.first[targets]);
  std::vector<std::uint32_t> next(table.first.begin(), table.first.end() - 1);
  for (std::uint32_t i = 0; i < plan_.operations.size(); ++i) {
    const Operation& operation = plan_.operations[i];
    if (wanted(operation.kind)) table.operations[next[operation.target]++] = i;
  }
  return table;
}

// Agents stand in the order of their operations; one without any shares its first with the next.
std::uint32_t CauseIndex::agent_of(std::uint32_t operation) const {
  const auto after = std::upper_bound(
      plan_.agents.begin(), plan_.agents.end(), operation, [](std::uint32_t i, const Agent& agent) {
        return i < agent.first_operation;
      });
  check(after != plan_.agents.begin(), "every operation has an agent");
  return static_cast<std::uint32_t>(after - plan_.agents.begin() - 1);
}

// When the flag changed: as Execution::send_signal and the landing of a load have it; what a NIC
// carries ends there.
Instant CauseIndex::arrival_of(std::uint32_t i) const {
  const Operation& operation = plan_.operations[i];
  const Instant sent = timeline_.end[i];
  if (operation.kind == OpKind::load || operation.kind == OpKind::post_signal) return sent;
  if (operation.detail == static_cast<std::uint16_t>(Scope::cta)) return sent;
  const RankId source = plan_.rank_of(plan_.agents[agent_of(i)]);
  const RankId home = plan_.flags[operation.target].home;
  if (source == home) return sent + plan_.rates.local_signal;
  return sent + plan_.rates.signal_latency +
         topology_.route_latency(GpuId{source.value}, GpuId{home.value});
}

std::uint32_t CauseIndex::filler(std::uint32_t flag, std::uint32_t count) const {
  struct Arrival {
    Instant at;
    std::uint32_t operation;
  };
  std::vector<Arrival> arrivals;
  for (const std::uint32_t i : fillers_.of(flag)) arrivals.push_back({arrival_of(i), i});
  std::stable_sort(arrivals.begin(), arrivals.end(), [](const Arrival& a, const Arrival& b) {
    return a.at < b.at;
  });
  std::uint64_t value = 0;
  for (const Arrival& arrival : arrivals) {
    const Operation& operation = plan_.operations[arrival.operation];
    value += increment_of(operation);
    if (value >= count) return arrival.operation;
  }
  check(false, "a wait that ended was let go by somebody");
  return 0;
}

std::uint32_t CauseIndex::last_arrival(std::uint32_t barrier, Instant released) const {
  for (const std::uint32_t i : members_.of(barrier))
    if (timeline_.start[i] == released) return i;
  check(false, "a barrier opens when its last member comes");
  return 0;
}

Instant CauseIndex::end_of(std::uint32_t agent) const {
  const Agent& a = plan_.agents[agent];
  if (a.operation_count == 0) return timeline_.agent_start[agent];
  const std::uint32_t last = a.first_operation + a.operation_count - 1;
  switch (plan_.operations[last].kind) {
    case OpKind::load:
      return timeline_.start[last];
    case OpKind::post:
    case OpKind::post_signal:
      return timeline_.start[last] + Duration{plan_.operations[last].time};
    default:
      return timeline_.end[last];
  }
}

std::uint32_t CauseIndex::last_agent(std::uint32_t kernel) const {
  const Kernel& k = plan_.kernels[kernel];
  std::uint32_t last = plan_.ctas[k.first_cta].first_agent;
  for (std::uint32_t c = k.first_cta; c < k.first_cta + k.cta_count; ++c)
    for (std::uint32_t a = 0; a < plan_.ctas[c].agent_count; ++a)
      if (end_of(plan_.ctas[c].first_agent + a) > end_of(last))
        last = plan_.ctas[c].first_agent + a;
  return last;
}

std::uint32_t CauseIndex::agent_that_ended(RankId rank, Instant at) const {
  for (std::uint32_t a = 0; a < plan_.agents.size(); ++a)
    if (plan_.rank_of(plan_.agents[a]) == rank && end_of(a) == at) return a;
  return kNobody;
}

Duration CauseIndex::last_rank_start() const {
  std::vector<Instant> first(plan_.rank_count, Instant::max());
  for (std::size_t k = 0; k < plan_.kernels.size(); ++k) {
    Instant& start = first[plan_.kernels[k].rank.index()];
    start = std::min(start, timeline_.kernel_start[k]);
  }
  Duration last{};
  for (const Instant start : first)
    if (start != Instant::max()) last = std::max(last, start - Instant{});
  return last;
}

}  // namespace epsim
