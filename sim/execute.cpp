#include "sim/execute.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "sim/execution.hpp"

namespace epsim {

Execution::Execution(const Plan& plan, const Topology& topology, const ExecuteOptions& options)
    : plan_(plan),
      topology_(topology),
      fabric_(topology, plan, options.record_link_uses),
      agents_(plan.agents.size()),
      flags_(plan.flags.size()),
      barriers_(plan.barriers.size()),
      put_chunk_(static_cast<std::uint32_t>(plan.rates.put_chunk.count)),
      sm_free_(plan.ctas.size()),
      sm_pools_(plan.rank_count, SmPool(plan.sm_count)),
      kernels_(plan.kernels.size()),
      rank_kernels_(plan.rank_count),
      queue_pairs_(plan.queue_pairs.size()),
      nics_(plan.queue_pairs.empty() ? 0 : plan.rank_count) {
  check(plan.rank_count <= topology.gpu_count(), "every rank of a plan has a GPU");
  check(plan.rank_count <= 65'536, "ranks fit 16 bits");
  check(plan.agents.size() < (1U << 30), "a plan has fewer than 2^30 agents");
  timeline_.start.assign(plan.operations.size(), Timeline::kNever);
  timeline_.end.assign(plan.operations.size(), Timeline::kNever);
  timeline_.agent_start.assign(plan.agents.size(), Timeline::kNever);
  timeline_.kernel_start.assign(plan.kernels.size(), Timeline::kNever);
  timeline_.kernel_end.assign(plan.kernels.size(), Timeline::kNever);
  for (std::size_t a = 0; a < plan.agents.size(); ++a) {
    const Agent& agent = plan.agents[a];
    agents_[a].next = agent.first_operation;
    agents_[a].end = agent.first_operation + agent.operation_count;
    agents_[a].cta = agent.cta.value;
    agents_[a].rank = plan.rank_of(agent).value;
  }
  for (const Cta& cta : plan.ctas) cta_agents_left_.push_back(cta.agent_count);
  for (const Kernel& kernel : plan.kernels) kernel_ctas_left_.push_back(kernel.cta_count);
  if (!plan.queue_pairs.empty())
    for (const Link& link : topology.links())
      link_ends_.push_back({link.target, topology.node(link.target).kind});
  if (options.fluid_fabric) {
    std::vector<Bandwidth> capacities = fabric_.payload_rates();
    const auto first_cta = static_cast<std::uint32_t>(capacities.size());
    const bool limited = plan.rates.put_path.rate.bytes_per_second > 0;
    capacities.resize(capacities.size() + plan.ctas.size(),
                      limited ? plan.rates.put_path.rate : kNoLimit);
    fluid_.emplace(FluidFabric{FluidNetwork(capacities), first_cta});
  }
  for (std::uint32_t r = 0; r < plan.rank_count; ++r)
    memory_.push_back({SharedServer(plan.rates.memory), Instant::max()});
}

Timeline Execution::run() {
  for (std::uint32_t k = 0; k < plan_.kernels.size(); ++k) {
    const Kernel& kernel = plan_.kernels[k];
    kernels_[k].waits = 1;  // for the loop below
    if (kernel.after < 0) continue;
    kernels_[static_cast<std::size_t>(kernel.after)].followers.push_back({k, kernel.delay});
    ++kernels_[k].waits;
  }
  for (const KernelEdge& edge : plan_.kernel_edges) {
    kernels_[edge.earlier.index()].followers.push_back({edge.later.value, edge.delay});
    ++kernels_[edge.later.index()].waits;
  }
  for (std::uint32_t k = 0; k < plan_.kernels.size(); ++k) {
    const Kernel& kernel = plan_.kernels[k];
    const Duration delay =
        std::max(kernel.not_before, kernel.after < 0 ? kernel.delay : Duration{});
    release_kernel(k, Instant{} + plan_.rank_start[kernel.rank.index()] + delay);
  }
  while (!queue_.empty()) {
    handle(queue_.pop([this](const Event& event) { fetch(event); }));
    ++timeline_.event_count;
  }
  check_all_ended();
  fabric_.report(timeline_);
  for (const MemoryState& memory : memory_) {
    timeline_.memory_bytes.push_back(memory.server.bytes_served());
    timeline_.memory_busy.push_back(memory.server.bytes_served() / plan_.rates.memory);
  }
  return std::move(timeline_);
}

// Agents wake in an order that no cache foresees, but the queue knows it some events ahead.
void Execution::fetch(const Event& event) const {
  const bool wakes_agent = event.kind == Event::Kind::resume ||
                           event.kind == Event::Kind::proceed ||
                           event.kind == Event::Kind::issued || event.kind == Event::Kind::posted ||
                           event.kind == Event::Kind::unstalled || event.kind == Event::Kind::hop;
  if (wakes_agent) __builtin_prefetch(&agents_[event.subject], 1);
  if (event.kind == Event::Kind::add) __builtin_prefetch(&flags_[event.subject], 1);
  if (event.kind == Event::Kind::arrive || event.kind == Event::Kind::fetch)
    __builtin_prefetch(messages_.address(event.subject), 1);
}

void Execution::handle(const Event& event) {
  switch (event.kind) {
    case Event::Kind::launch:
      return launch(event.subject);
    case Event::Kind::resume:
      return end_operation(event.subject);
    case Event::Kind::proceed:
      return advance(event.subject);
    case Event::Kind::posted:
      hand_over(event.subject);
      return end_operation(event.subject);
    case Event::Kind::issued:
      return leave_sm(event.subject);
    case Event::Kind::hop:
      return next_hop(event);
    case Event::Kind::unstalled:
      return issue_piece(event.subject);
    case Event::Kind::add:
      return add_to_flag(event.subject, event.size);
    case Event::Kind::landed: {
      const BackgroundLoad load = loads_[event.subject];
      loads_.release(event.subject);
      timeline_.end[load.operation] = now();
      return add_to_flag(load.flag, 1);
    }
    case Event::Kind::memory:
      return complete_memory(event.subject);
    case Event::Kind::flows:
      return complete_flows();
    case Event::Kind::fetch:
      return enter_nic(event.subject);
    case Event::Kind::arrive:
      return travel({event.subject, LinkId{event.position}, now()});
  }
}

// Starts operations until one of them takes time that something else decides.
void Execution::advance(std::uint32_t agent) {
  const std::uint32_t end = agents_[agent].end;
  Instant local = now();
  for (std::uint32_t& i = agents_[agent].next; i < end; ++i) {
    const Operation& operation = plan_.operations[i];
    if (operation.kind == OpKind::work || operation.kind == OpKind::fence) {
      timeline_.start[i] = local;
      local += Duration{operation.time};
      timeline_.end[i] = local;
      continue;
    }
    if (local > now()) return schedule(local, Event::Kind::proceed, agent);
    timeline_.start[i] = local;
    if (!begin(agent, operation, i)) return;
    timeline_.end[i] = std::max(timeline_.end[i], local);
  }
  if (local > now()) return schedule(local, Event::Kind::proceed, agent);
  finish_agent(agent);
}

// True when the operation is over at once.
bool Execution::begin(std::uint32_t agent, const Operation& operation, std::uint32_t index) {
  AgentState& state = agents_[agent];
  const Instant ready = now() + Duration{operation.time};
  switch (operation.kind) {
    case OpKind::serve:
      state.sm_time = pass_sm(agent, operation.count, plan_.rates.serve_path);
      use_memory(agents_[agent].rank,
                 MemoryClient::pack(MemoryClient::Kind::agent, agent),
                 Bytes{std::llround(operation.count * plan_.rates.serve_traffic)},
                 operation.detail);
      return false;
    case OpKind::load: {
      const Instant passed = pass_sm(agent, operation.count, plan_.rates.load_path);
      const std::uint32_t slot = loads_.put({operation.target, operation.time, index, passed});
      use_memory(agents_[agent].rank,
                 MemoryClient::pack(MemoryClient::Kind::load, slot),
                 Bytes{operation.count},
                 operation.detail);
      return true;
    }
    case OpKind::put:
      begin_put(agent, operation);
      return false;
    case OpKind::drain:
      begin_drain(agent);
      return false;
    case OpKind::signal:
      send_signal(agent, operation);
      if (operation.time == 0) return true;
      schedule(ready, Event::Kind::resume, agent);
      return false;
    case OpKind::wait:
      if (flags_[operation.target].value >= operation.count)
        schedule(operation.detail == kWakes ? now() : ready, Event::Kind::resume, agent);
      else
        push_waiter(flags_[operation.target].waiters, agent);
      return false;
    case OpKind::barrier:
      arrive_at_barrier(agent, operation);
      return false;
    case OpKind::post:
    case OpKind::post_signal:
      if (operation.time > 0)
        schedule(ready, Event::Kind::posted, agent);
      else
        hand_over(agent);
      return operation.time == 0;
    case OpKind::work:
    case OpKind::fence:
      break;
  }
  check(false, "delays are handled by advance");
  return true;
}

void Execution::end_operation(std::uint32_t agent) {
  timeline_.end[agents_[agent].next] = now();
  ++agents_[agent].next;
  advance(agent);
}

void Execution::push_waiter(WaiterList& list, std::uint32_t agent) {
  agents_[agent].next_waiter = kNobody;
  if (list.head == kNobody)
    list.head = agent;
  else
    agents_[list.tail].next_waiter = agent;
  list.tail = agent;
}

void Execution::arrive_at_barrier(std::uint32_t agent, const Operation& operation) {
  BarrierState& barrier = barriers_[operation.target];
  push_waiter(barrier.waiters, agent);
  if (++barrier.arrived < plan_.barriers[operation.target].members) return;
  const WaiterList all = std::exchange(barrier.waiters, {});
  barrier.arrived = 0;
  for (std::uint32_t a = all.head; a != kNobody; a = agents_[a].next_waiter)
    schedule(now() + Duration{plan_.operations[agents_[a].next].time}, Event::Kind::resume, a);
}

void Execution::send_signal(std::uint32_t agent, const Operation& operation) {
  const std::uint32_t rank = agents_[agent].rank;
  const std::uint32_t home = plan_.flags[operation.target].home.value;
  Duration flight = plan_.rates.local_signal;
  if (operation.detail == static_cast<std::uint16_t>(Scope::cta))
    flight = {};
  else if (home != rank)
    flight = plan_.rates.signal_latency + fabric_.route_latency(rank, home);
  queue_.schedule(now() + Duration{operation.time} + flight,
                  Event{operation.target, operation.count, 0, 0, Event::Kind::add});
}

void Execution::add_to_flag(std::uint32_t f, std::uint32_t increment) {
  FlagState& flag = flags_[f];
  flag.value += increment;
  const WaiterList blocked = std::exchange(flag.waiters, {});
  for (std::uint32_t a = blocked.head; a != kNobody;) {
    const std::uint32_t following = agents_[a].next_waiter;
    const Operation& operation = plan_.operations[agents_[a].next];
    if (flag.value >= operation.count)
      schedule(now() + Duration{operation.time}, Event::Kind::resume, a);
    else
      push_waiter(flag.waiters, a);
    a = following;
  }
}

void Execution::check_all_ended() const {
  for (std::size_t a = 0; a < agents_.size(); ++a) {
    const Agent& agent = plan_.agents[a];
    if (agents_[a].next == agents_[a].end) continue;
    const Operation& operation = plan_.operations[agents_[a].next];
    throw Bug(fmt::format("{}: agent {} ({} of rank {}) never ends: {} of target {}, count {}",
                          plan_.name,
                          a,
                          kRoleNames[static_cast<std::size_t>(agent.role)],
                          agents_[a].rank,
                          kOpKindNames[static_cast<std::size_t>(operation.kind)],
                          operation.target,
                          operation.count));
  }
  for (const QueuePairState& pair : queue_pairs_)
    check(pair.delivered == pair.posted, "a doorbell announces every post, and all arrive");
}

Timeline execute(const Plan& plan, const Topology& topology, const ExecuteOptions& options) {
  return Execution(plan, topology, options).run();
}

}  // namespace epsim
