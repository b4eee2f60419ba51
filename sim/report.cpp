#include "sim/report.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/graph_exchange.hpp"

namespace epsim {
namespace {

constexpr double kLimits = 0.5;  // a resource that is busy for less does not decide the latency

double share(Duration part, Duration whole) {
  if (whole <= Duration{}) return 0.0;
  return static_cast<double>(part.count()) / static_cast<double>(whole.count());
}

std::vector<KernelLatency> kernel_latencies(const Prediction& prediction) {
  std::vector<KernelLatency> kernels;
  for (const Kernel& kernel : prediction.plan.kernels) {
    const bool is_known = std::any_of(kernels.begin(), kernels.end(), [&](const auto& known) {
      return known.name == kernel.name;
    });
    if (!is_known)
      kernels.push_back({std::string(kernel.name),
                         prediction.timeline.aligned_latency(prediction.plan, kernel.name)});
  }
  if (kernels.size() == 1) kernels.clear();
  return kernels;
}

std::vector<ResourceUse> busiest_resources(const Prediction& prediction,
                                           const Bounds& bounds,
                                           const Topology& topology) {
  const Timeline& timeline = prediction.timeline;
  std::vector<ResourceUse> uses;
  const auto add = [&](BoundKind kind, std::uint32_t index, Duration busy, Bytes bytes) {
    if (bytes.count == 0) return;
    const Bound named{kind, index, {}, {}, {}};
    uses.push_back(
        {kind, place_of(named, prediction.plan, topology), share(busy, prediction.latency), bytes});
  };
  const auto busiest = [](const std::vector<Duration>& busy) {
    return static_cast<std::uint32_t>(std::max_element(busy.begin(), busy.end()) - busy.begin());
  };
  if (!timeline.link_busy.empty()) {
    const std::uint32_t link = busiest(timeline.link_busy);
    add(BoundKind::link, link, timeline.link_busy[link], timeline.link_bytes[link]);
  }
  if (!timeline.memory_busy.empty()) {
    const std::uint32_t rank = busiest(timeline.memory_busy);
    add(BoundKind::memory, rank, timeline.memory_busy[rank], timeline.memory_bytes[rank]);
  }
  const Bound& sm = bounds.of(BoundKind::sm);
  add(BoundKind::sm, sm.index, sm.busy, sm.bytes);
  return uses;
}

// Loads of the first host's ranks or experts, with those of its likes on the other hosts.
std::vector<std::uint64_t> folded(const std::vector<std::uint64_t>& loads, std::uint32_t hosts) {
  std::vector<std::uint64_t> sums(loads.size() / hosts, 0);
  for (std::size_t i = 0; i < loads.size(); ++i) sums[i % sums.size()] += loads[i];
  return sums;
}

TrafficFacts traffic_facts(MoeOperation operation,
                           const Workload& workload,
                           const FamilyKind& kind) {
  const TrafficMatrix& traffic = *workload.traffic;
  // Normal-mode kernels, which take SMs, send a token once to a rank; combine sends the way back.
  const bool once_a_rank = kind.takes_sms;
  const bool is_dispatch = operation == MoeOperation::dispatch;
  const auto by_rank =
      once_a_rank ? (is_dispatch ? traffic.copies_by_target() : traffic.copies_by_source())
                  : (is_dispatch ? traffic.messages_by_target() : traffic.messages_by_source());
  // Where one host stands for all, what reaches its ranks and experts is what their likes on all
  // hosts are sent by it.
  const std::uint32_t hosts = workload.rank_count() / workload.planned_ranks();
  TrafficFacts facts;
  for (const std::uint64_t count : by_rank) facts.messages += hosts * count;
  facts.remote_messages =
      hosts * (once_a_rank ? traffic.remote_copies() : traffic.remote_messages());
  facts.ranks = imbalance(folded(by_rank, hosts));
  facts.experts = imbalance(folded(traffic.tokens_by_expert(), hosts));
  return facts;
}

// Whether the first operation copies a row to where the NIC is told to fetch it.
bool is_staging(std::span<const Operation> operations, RankId rank) {
  return operations.size() >= 3 && operations[0].kind == OpKind::put &&
         operations[0].target == rank.value && operations[1].kind == OpKind::drain &&
         operations[2].kind == OpKind::post;
}

// Bytes as the plan puts and posts them, whatever the format of a message is.
void count_bytes(const Plan& plan, std::uint32_t hosts, TrafficFacts& facts) {
  for (const Agent& agent : plan.agents) {
    const RankId rank = plan.rank_of(agent);
    const auto operations = plan.operations_of(agent);
    for (std::size_t i = 0; i < operations.size(); ++i) {
      const Operation& operation = operations[i];
      const bool is_post = operation.kind == OpKind::post;
      if (!is_post && operation.kind != OpKind::put) continue;
      if (is_staging(operations.subspan(i), rank)) continue;
      const auto size = std::int64_t{hosts} * operation.count;
      facts.bytes.count += size;
      if (is_post || operation.target != rank.value) facts.remote_bytes.count += size;
    }
  }
}

std::optional<BufferFacts> buffer_facts(MoeOperation operation,
                                        const Workload& workload,
                                        const FamilyKind& kind) {
  if (!kind.takes_exchange || operation != MoeOperation::dispatch) return std::nullopt;
  const ExchangeBuffer buffer = exchange_buffer(workload);
  return BufferFacts{buffer.rows, buffer.size, buffer.dropped};
}

}  // namespace

std::string ResourceUse::name() const {
  return fmt::format("{} {}", kBoundKindNames[static_cast<std::size_t>(kind)], place);
}

const ResourceUse* Report::bottleneck() const {
  const ResourceUse* most = nullptr;
  for (const ResourceUse& use : busiest)
    if (use.busy >= kLimits && (most == nullptr || use.busy > most->busy)) most = &use;
  return most;
}

std::vector<std::string> beyond_range(const Workload& workload, const KernelFamily& family) {
  std::vector<std::string> beyond;
  const auto compare =
      [&](const char* what, std::int64_t value, std::int64_t low, std::int64_t high) {
        if (value >= low && value <= high) return;
        const std::string range =
            low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high);
        beyond.push_back(fmt::format("{} {}, calibrated for {}", what, value, range));
      };
  const CalibratedRange& range = family.range;
  std::int64_t least = INT64_MAX;
  std::int64_t most = 0;
  for (std::uint32_t r = 0; r < workload.planned_ranks(); ++r) {
    const std::int64_t tokens = workload.routing->token_count(RankId{r});
    least = std::min(least, tokens);
    most = std::max(most, tokens);
  }
  compare(
      "tokens a rank", most > range.tokens_max ? most : least, range.tokens_min, range.tokens_max);
  compare("hidden", workload.hidden, range.hidden_min, range.hidden_max);
  compare("experts", workload.expert_count(), range.experts_min, range.experts_max);
  compare("top-k", workload.top_k(), range.top_k_min, range.top_k_max);
  compare("ranks", workload.rank_count(), range.ranks_min, range.ranks_max);
  return beyond;
}

Report summarize(const Prediction& prediction,
                 const Workload& workload,
                 const KernelFamily& family,
                 const LatencyInterval& interval) {
  const Plan& plan = prediction.plan;
  const Topology& topology = *workload.topology;
  Report report{.operation = prediction.operation,
                .latency = prediction.latency,
                .interval = interval,
                .beyond_range = beyond_range(workload, family),
                .bounds = bounds_of(plan, topology),
                .bound_name = {},
                .path = critical_path(plan, prediction.timeline, topology),
                .kernels = kernel_latencies(prediction),
                .busiest = {},
                .traffic = traffic_facts(prediction.operation, workload, *find_family(family.name)),
                .buffer = buffer_facts(prediction.operation, workload, *find_family(family.name)),
                .plan = {.kernels = plan.kernels.size(),
                         .ctas = plan.ctas.size(),
                         .agents = plan.agents.size(),
                         .operations = plan.operations.size()},
                .events = prediction.timeline.event_count};
  report.bound_name = name_of(report.bounds.tightest(), plan, topology);
  report.busiest = busiest_resources(prediction, report.bounds, topology);
  count_bytes(plan, workload.rank_count() / workload.planned_ranks(), report.traffic);
  return report;
}

}  // namespace epsim
