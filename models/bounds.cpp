#include "models/bounds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr Duration kUnused = Duration::max();

// What the clients of one resource need of it and beside it.
struct Load {
  Duration head = kUnused;
  Duration tail = kUnused;
  Bytes bytes{};
  Duration busy{};

  void use(Bytes size, Duration before, Duration after) {
    bytes.count += size.count;
    head = std::min(head, before);
    tail = std::min(tail, after);
  }
};

// Rounded down, where the engine rounds up: a bound must not be late by the last picosecond.
Duration least_time(Bytes size, Bandwidth rate) {
  return Duration{std::llround(
      std::floor(static_cast<double>(size.count) * 1e12 / rate.bytes_per_second * (1 - 1e-12)))};
}

// A latency counts from the start of the last rank, which is when its first kernel starts.
Duration last_start_of(const Plan& plan) {
  std::vector<Duration> first(plan.rank_count, kUnused);
  for (const Kernel& kernel : plan.kernels)
    if (kernel.after < 0) {
      Duration& start = first[kernel.rank.index()];
      start = std::min(start, plan.rank_start[kernel.rank.index()] + kernel.delay);
    }
  Duration last{};
  for (const Duration start : first)
    if (start != kUnused) last = std::max(last, start);
  return last;
}

// The operations of one agent, added up.
struct AgentTimes {
  Duration own{};                  // all own times, one after the other
  Duration after_drain{};          // own times after the last drain
  std::uint32_t drained_puts = 0;  // operations before this index wait for their bytes' arrival
};

class BoundsWriter {
 public:
  BoundsWriter(const Plan& plan, const Topology& topology)
      : plan_(plan),
        topology_(topology),
        links_(topology.links().size()),
        memories_(plan.rank_count),
        sms_(plan.ctas.size()),
        kernel_head_(plan.kernels.size()),
        kernel_own_(plan.kernels.size()),
        kernel_tail_(plan.kernels.size()),
        arrivals_(plan.flags.size()),
        needed_(plan.flags.size()) {}

  Bounds write() {
    count_flags();
    for (const Agent& agent : plan_.agents) {
      Duration& own = kernel_own_[kernel_of(agent)];
      own = std::max(own, times_of(agent).own);
    }
    order_kernels();
    last_start_ = last_start_of(plan_);
    for (std::size_t a = 0; a < plan_.agents.size(); ++a) add_agent(a);
    for (std::size_t l = 0; l < links_.size(); ++l) finish_link(l);
    for (Load& memory : memories_) memory.busy = least_time(memory.bytes, plan_.rates.memory);
    return {.of_kind = {longest_agent_,
                        worst(BoundKind::sm, sms_),
                        worst(BoundKind::memory, memories_),
                        worst(BoundKind::link, links_)}};
  }

 private:
  [[nodiscard]] std::size_t kernel_of(const Agent& agent) const {
    return plan_.ctas[agent.cta.index()].kernel.index();
  }

  // A load that nobody waits for may land after the plan has ended, so it bounds nothing.
  void count_flags() {
    for (const Operation& operation : plan_.operations) {
      if (operation.kind == OpKind::load) ++arrivals_[operation.target];
      if (operation.kind == OpKind::signal) arrivals_[operation.target] += operation.count;
      if (operation.kind == OpKind::post_signal)
        arrivals_[operation.target] += operation.detail >> kIncrementShift;
      if (operation.kind == OpKind::wait)
        needed_[operation.target] = std::max(needed_[operation.target], operation.count);
    }
  }

  // Pieces in which a put leaves the SM; those to the own memory leave whole.
  [[nodiscard]] std::uint32_t pieces(const Operation& put, bool local) const {
    const auto chunk = static_cast<std::uint32_t>(plan_.rates.put_chunk.count);
    return local || put.count <= chunk ? 1 : (put.count + chunk - 1) / chunk;
  }

  [[nodiscard]] Duration own_time(const Operation& operation) const {
    if (operation.kind == OpKind::load) return {};  // in the background
    if (operation.kind == OpKind::wait && operation.detail == kWakes) return {};
    if (operation.kind != OpKind::put) return Duration{operation.time};
    // Each piece takes its share of the time in whole picoseconds, rounded down.
    return Duration{
        std::max<std::int64_t>(0,
                               std::int64_t{operation.time} -
                                   (pieces(operation, false) > 1 ? pieces(operation, false) : 0))};
  }

  [[nodiscard]] AgentTimes times_of(const Agent& agent) const {
    AgentTimes times;
    Duration at_drain{};
    std::uint32_t i = agent.first_operation;
    for (const Operation& operation : plan_.operations_of(agent)) {
      times.own += own_time(operation);
      if (operation.kind == OpKind::drain) {
        times.drained_puts = i;
        at_drain = times.own;
      }
      ++i;
    }
    times.after_drain = times.own - at_drain;
    return times;
  }

  // Heads front to back and tails back to front: a kernel follows one with a lower index.
  void order_kernels() {
    for (std::size_t k = 0; k < plan_.kernels.size(); ++k) {
      const Kernel& kernel = plan_.kernels[k];
      Duration launch = plan_.rank_start[kernel.rank.index()];
      if (kernel.after >= 0) {
        const auto before = static_cast<std::size_t>(kernel.after);
        launch = kernel_head_[before] + kernel_own_[before] + plan_.kernels[before].finish_overhead;
      }
      kernel_head_[k] = launch + kernel.delay + kernel.start_overhead;
    }
    for (std::size_t k = plan_.kernels.size(); k-- > 0;) {
      const Kernel& kernel = plan_.kernels[k];
      kernel_tail_[k] += kernel.finish_overhead;
      if (kernel.after < 0) continue;
      Duration& earlier = kernel_tail_[static_cast<std::size_t>(kernel.after)];
      earlier = std::max(earlier,
                         kernel.delay + kernel.start_overhead + kernel_own_[k] + kernel_tail_[k]);
    }
    for (const Duration tail : kernel_tail_) least_tail_ = std::min(least_tail_, tail);
  }

  void add_agent(std::size_t a) {
    const Agent& agent = plan_.agents[a];
    const std::size_t k = kernel_of(agent);
    const AgentTimes times = times_of(agent);
    const Duration whole = kernel_head_[k] + times.own + kernel_tail_[k];
    if (whole - last_start_ > longest_agent_.latency)
      longest_agent_ = {
          BoundKind::agent, static_cast<std::uint32_t>(a), whole - last_start_, times.own, {}};
    Duration before = kernel_head_[k];
    Duration after = times.own + kernel_tail_[k];
    std::uint32_t i = agent.first_operation;
    for (const Operation& operation : plan_.operations_of(agent)) {
      const bool drained = i++ < times.drained_puts;
      const Duration own = own_time(operation);
      after -= own;
      if (operation.kind == OpKind::put)
        add_put(agent,
                operation,
                before,
                after,
                drained ? times.after_drain + kernel_tail_[k] : kUnused);
      if (operation.kind == OpKind::serve) add_serve(agent, operation, before, after + own);
      if (operation.kind == OpKind::post && is_awaited(agent, i)) add_post(operation, before + own);
      if (operation.kind == OpKind::load &&
          needed_[operation.target] >= arrivals_[operation.target])
        memory_of(agent).use(
            Bytes{operation.count}, before, Duration{operation.time} + least_tail_);
      before += own;
    }
  }

  [[nodiscard]] Load& memory_of(const Agent& agent) {
    return memories_[plan_.rank_of(agent).index()];
  }

  // `arrived`: own time left when the agent knows that its bytes have arrived; kUnused if never.
  void add_put(
      const Agent& agent, const Operation& put, Duration before, Duration after, Duration arrived) {
    const RankId source = plan_.rank_of(agent);
    const bool local = put.target == source.value;
    use_sm(agent,
           local ? plan_.rates.local_put_path : plan_.rates.put_path,
           put.count,
           pieces(put, local),
           before,
           after);
    if (local) {
      const double traffic = static_cast<double>(put.count) * plan_.rates.local_put_traffic;
      if (arrived != kUnused) memory_of(agent).use(Bytes{std::llround(traffic)}, before, arrived);
      return;
    }
    bool is_first = true;
    for (const LinkId link : topology_.route(GpuId{source.value}, GpuId{put.target})) {
      // The put itself ends when its last byte has left the first link.
      if (is_first || arrived != kUnused)
        links_[link.index()].use(Bytes{put.count}, before, is_first ? after : arrived);
      is_first = false;
    }
  }

  // Whether a post must have arrived before the plan ends: operation `next` of its agent, or one
  // behind it, posts a signal to the same queue pair, and someone waits for all of that flag.
  [[nodiscard]] bool is_awaited(const Agent& agent, std::uint32_t next) const {
    const std::uint32_t end = agent.first_operation + agent.operation_count;
    const std::uint32_t queue = plan_.operations[next - 1].target;
    for (; next < end; ++next) {
      const Operation& signal = plan_.operations[next];
      if (signal.kind == OpKind::post_signal && signal.count == queue)
        return needed_[signal.target] >= arrivals_[signal.target];
    }
    return false;
  }

  // The links that it must cross, where there is no choice of way.
  void add_post(const Operation& post, Duration before) {
    const QueuePair& queue = plan_.queue_pairs[post.target];
    if (queue.source == queue.target) return;  // of a fold: who knows where it goes
    const GpuId target{queue.target.value};
    const NodeId last = topology_.gpu(target);
    for (NodeId at = topology_.gpu(GpuId{queue.source.value}); at != last;) {
      const auto links = topology_.network_links(at, target);
      if (links.size() != 1) return;
      links_[links.front().index()].use(Bytes{post.count}, before, plan_.nic.latency + least_tail_);
      at = topology_.link(links.front()).target;
    }
  }

  void add_serve(const Agent& agent, const Operation& serve, Duration before, Duration after) {
    use_sm(agent, plan_.rates.serve_path, serve.count, 1, before, after);
    memory_of(agent).use(
        Bytes{std::llround(serve.count * plan_.rates.serve_traffic)}, before, after);
  }

  void use_sm(const Agent& agent,
              const SmRate& path,
              std::uint32_t size,
              std::uint32_t messages,
              Duration before,
              Duration after) {
    if (path.rate.bytes_per_second <= 0) return;
    Load& sm = sms_[agent.cta.index()];
    sm.use(Bytes{size}, before, after);
    sm.busy += messages * path.each + least_time(Bytes{size}, path.rate);
  }

  // A link takes a message for the time that its bytes need at the link's own rate, counted back
  // from the arrival of the last one: the first piece may so begin before its sender did.
  void finish_link(std::size_t l) {
    Load& link = links_[l];
    const double rate = topology_.links()[l].bandwidth.bytes_per_second;
    const Bytes counted{std::max<std::int64_t>(0, link.bytes.count - plan_.rates.put_chunk.count)};
    link.busy = least_time(counted, Bandwidth{rate * payload_share(topology_.links()[l].kind)});
  }

  [[nodiscard]] double payload_share(LinkKind kind) const {
    if (kind == LinkKind::nvlink) return plan_.rates.link_efficiency;
    return kind == LinkKind::rdma ? plan_.nic.wire_efficiency : plan_.nic.pcie_efficiency;
  }

  [[nodiscard]] Bound worst(BoundKind kind, const std::vector<Load>& loads) const {
    Bound bound{kind, 0, {}, {}, {}};
    for (std::uint32_t i = 0; i < loads.size(); ++i) {
      const Load& load = loads[i];
      if (load.head == kUnused) continue;
      const Duration latency = load.head + load.busy + load.tail - last_start_;
      if (latency > bound.latency) bound = {kind, i, latency, load.busy, load.bytes};
    }
    return bound;
  }

  const Plan& plan_;
  const Topology& topology_;
  std::vector<Load> links_, memories_, sms_;
  Bound longest_agent_{BoundKind::agent, 0, {}, {}, {}};
  std::vector<Duration> kernel_head_;  // rank's start to the first instruction, at the earliest
  std::vector<Duration> kernel_own_;   // own time of its longest agent
  std::vector<Duration> kernel_tail_;  // last instruction to the end of the last kernel after it
  Duration least_tail_ = kUnused;      // of all kernels: whoever waits for a load is in one
  Duration last_start_{};
  std::vector<std::uint64_t> arrivals_;  // one a flag: all that is ever added
  std::vector<std::uint32_t> needed_;    // one a flag: the most that anyone waits for
};

}  // namespace

const Bound& Bounds::tightest() const {
  return *std::max_element(of_kind.begin(), of_kind.end(), [](const Bound& a, const Bound& b) {
    return a.latency < b.latency;
  });
}

Bounds bounds_of(const Plan& plan, const Topology& topology) {
  check(plan.rank_count <= topology.gpu_count(), "every rank of a plan has a GPU");
  return BoundsWriter(plan, topology).write();
}

std::string place_of(const Bound& bound, const Plan& plan, const Topology& topology) {
  const auto gpu = [&](RankId rank) { return topology.node(topology.gpu(GpuId{rank.value})).name; };
  switch (bound.kind) {
    case BoundKind::agent: {
      if (bound.index >= plan.agents.size()) return "nowhere";  // an empty plan
      const Agent& agent = plan.agents[bound.index];
      return fmt::format(
          "{} of {}", kRoleNames[static_cast<std::size_t>(agent.role)], gpu(plan.rank_of(agent)));
    }
    case BoundKind::sm: {
      const Kernel& kernel = plan.kernels[plan.ctas[bound.index].kernel.index()];
      return fmt::format("{} CTA {}", gpu(kernel.rank), bound.index - kernel.first_cta);
    }
    case BoundKind::memory:
      return gpu(RankId{bound.index});
    case BoundKind::link:
      return topology.link_name(LinkId{bound.index});
  }
  check(false, "every bound has a kind");
  return {};
}

std::string name_of(const Bound& bound, const Plan& plan, const Topology& topology) {
  const std::string place = place_of(bound, plan, topology);
  if (bound.kind == BoundKind::agent) return place;
  return fmt::format("{} {}", kBoundKindNames[static_cast<std::size_t>(bound.kind)], place);
}

}  // namespace epsim
