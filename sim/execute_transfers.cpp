#include <algorithm>
#include <cmath>

#include "sim/execution.hpp"

namespace epsim {
namespace {

// Memory traffic of an operation: payload bytes times what each of them moves.
Bytes scaled(std::uint32_t size, double factor) {
  return Bytes{std::llround(static_cast<double>(size) * factor)};
}

}  // namespace

// The SM's copy path takes messages one after the other; answers when it has passed these bytes.
Instant Execution::pass_sm(std::uint32_t agent, std::uint32_t size, const SmRate& path) {
  if (path.rate.bytes_per_second <= 0) return now();
  Instant& free = sm_free_[agents_[agent].cta];
  free = std::max(free, now()) + path.each + Bytes{size} / path.rate;
  return free;
}

void Execution::begin_put(std::uint32_t agent, const Operation& operation) {
  AgentState& state = agents_[agent];
  state.put_left = state.put_size = operation.count;
  state.put_time = operation.time;
  state.put_route =
      operation.target == state.rank ? RouteRange{} : fabric_.route(state.rank, operation.target);
  if (fluid_ && state.put_route.begin != state.put_route.end) return begin_flow(agent);
  if (state.under_way >= plan_.rates.put_window)
    state.stalled = true;
  else
    issue_piece(agent);
}

// The next piece of the current put goes to the SM's copy path. Puts to the own memory go whole.
void Execution::issue_piece(std::uint32_t agent) {
  AgentState& state = agents_[agent];
  state.sm_time = now();
  const bool local = state.put_route.begin == state.put_route.end;
  const std::uint32_t size = local ? state.put_left : std::min(state.put_left, put_chunk_);
  const Duration least{size == state.put_size
                           ? state.put_time
                           : static_cast<std::int64_t>(state.put_time) * size / state.put_size};
  const SmRate& path = local ? plan_.rates.local_put_path : plan_.rates.put_path;
  schedule(std::max(now() + least, pass_sm(agent, size, path)), Event::Kind::issued, agent);
}

// A piece has passed the SM: it queues for the first link, or for the own memory.
void Execution::leave_sm(std::uint32_t agent) {
  AgentState& state = agents_[agent];
  const RouteRange route = state.put_route;
  const bool local = route.begin == route.end;
  const std::uint32_t size = local ? state.put_left : std::min(state.put_left, put_chunk_);
  ++state.under_way;
  state.put_left -= size;
  if (local) {
    use_memory(state.rank,
               MemoryClient::pack(MemoryClient::Kind::put, agent),
               scaled(size, plan_.rates.local_put_traffic),
               0);
    return continue_put(agent, now());
  }
  const Fabric::Crossing first = fabric_.cross(route.begin, size, state.sm_time, now());
  forward(first.arrived,
          {agent,
           size,
           route.begin,
           static_cast<std::uint16_t>(route.end - route.begin),
           Event::Kind::hop});
  continue_put(agent, first.left);
}

// What comes after a piece has crossed the link that `event` names: the next link, or its target.
void Execution::forward(Instant arrived, Event event) {
  if (--event.hops > 0) {
    ++event.position;
    return queue_.schedule(arrived, event);
  }
  reach_target(event.subject, arrived + plan_.rates.put_latency + plan_.rates.acknowledge);
}

void Execution::next_hop(const Event& event) {
  forward(fabric_.cross_next(event.position, event.size, now()).arrived, event);
}

// The put ends when its last piece has left; others follow as far as the window allows.
void Execution::continue_put(std::uint32_t agent, Instant left) {
  AgentState& state = agents_[agent];
  if (state.put_left > 0 && state.under_way < plan_.rates.put_window) return issue_piece(agent);
  if (state.put_left > 0)
    state.stalled = true;
  else if (left > now())
    schedule(left, Event::Kind::resume, agent);
  else
    end_operation(agent);
}

// The put as one flow through its CTA's store path and the links of its route, no faster than its
// own least time allows.
void Execution::begin_flow(std::uint32_t agent) {
  AgentState& state = agents_[agent];
  ++state.under_way;
  std::vector<ResourceId> path{ResourceId{fluid_->first_cta + state.cta}};
  for (std::uint32_t position = state.put_route.begin; position < state.put_route.end; ++position)
    path.push_back(ResourceId{fabric_.link_at(position).value});
  const Bandwidth cap = state.put_time == 0 || state.put_size == 0
                            ? kUncapped
                            : Bandwidth{1e12 * state.put_size / state.put_time};
  fluid_->network.start(now(), agent, path, Bytes{state.put_size}, cap);
  schedule_flows();
}

void Execution::complete_flows() {
  if (fluid_->next_event <= now()) fluid_->next_event = Instant::max();
  std::vector<std::uint32_t> finished;
  fluid_->network.complete(now(), finished);
  for (const std::uint32_t agent : finished) {
    AgentState& state = agents_[agent];
    fabric_.account(state.put_route, state.put_size, now());
    const std::uint32_t target = plan_.operations[state.next].target;
    reach_target(agent,
                 now() + fabric_.route_latency(state.rank, target) + plan_.rates.put_latency +
                     plan_.rates.acknowledge);
    end_operation(agent);
  }
  schedule_flows();
}

// Keeps one event at or before the next completion. One that comes too early finds nothing to do.
void Execution::schedule_flows() {
  const auto next = fluid_->network.next_completion();
  if (!next || *next >= fluid_->next_event) return;
  fluid_->next_event = *next;
  schedule(*next, Event::Kind::flows, 0);
}

// A piece of the agent is as good as at its target: nothing can change when it will be
// acknowledged.
void Execution::reach_target(std::uint32_t agent, Instant acknowledged) {
  AgentState& state = agents_[agent];
  check(state.under_way > 0, "every piece reaches its target once");
  --state.under_way;
  state.acknowledged = std::max(state.acknowledged, acknowledged);
  if (state.stalled) {
    state.stalled = false;
    return schedule(acknowledged, Event::Kind::unstalled, agent);
  }
  if (!state.draining || state.under_way > 0) return;
  state.draining = false;
  end_drain(agent);
}

void Execution::begin_drain(std::uint32_t agent) {
  if (agents_[agent].under_way > 0)
    agents_[agent].draining = true;
  else
    end_drain(agent);
}

void Execution::end_drain(std::uint32_t agent) {
  const AgentState& state = agents_[agent];
  schedule(std::max(now(), state.acknowledged) + Duration{plan_.operations[state.next].time},
           Event::Kind::resume,
           agent);
}

void Execution::use_memory(std::uint32_t rank,
                           std::uint32_t client,
                           Bytes size,
                           std::uint16_t cap) {
  memory_[rank].server.start(now(), client, size, plan_.rate_caps[cap]);
  schedule_memory(rank);
}

void Execution::complete_memory(std::uint32_t rank) {
  MemoryState& memory = memory_[rank];
  if (memory.next_event <= now()) memory.next_event = Instant::max();
  completed_.clear();
  memory.server.complete(now(), completed_);
  for (const std::uint32_t client : completed_) {
    const std::uint32_t slot = MemoryClient::slot(client);
    switch (MemoryClient::kind(client)) {
      case MemoryClient::Kind::agent:
        schedule(std::max(now(), agents_[slot].sm_time) +
                     Duration{plan_.operations[agents_[slot].next].time},
                 Event::Kind::resume,
                 slot);
        break;
      case MemoryClient::Kind::load:
        schedule(std::max(now(), loads_[slot].passed) + Duration{loads_[slot].latency},
                 Event::Kind::landed,
                 slot);
        break;
      case MemoryClient::Kind::put:
        reach_target(slot, now() + plan_.rates.local_latency);
        break;
    }
  }
  schedule_memory(rank);
}

// Keeps one event at or before the next completion. One that comes too early finds nothing to do.
void Execution::schedule_memory(std::uint32_t rank) {
  MemoryState& memory = memory_[rank];
  const auto next = memory.server.next_completion();
  if (!next || *next >= memory.next_event) return;
  memory.next_event = *next;
  schedule(*next, Event::Kind::memory, rank);
}

}  // namespace epsim
