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
  Instant& free = sm_free_[plan_.agents[agent].cta.index()];
  free = std::max(free, now()) + path.each + Bytes{size} / path.rate;
  return free;
}

// The next piece of the current put goes to the SM's copy path. Puts to the own memory go whole.
void Execution::issue_piece(std::uint32_t agent) {
  const Operation& operation = plan_.operations[agents_[agent].next];
  const bool local = operation.target == rank_of(agent);
  const std::uint32_t left = agents_[agent].put_left;
  const std::uint32_t size = local ? left : std::min(left, put_chunk_);
  const Duration least{size == operation.count
                           ? operation.time
                           : static_cast<std::int64_t>(operation.time) * size / operation.count};
  const SmRate& path = local ? plan_.rates.local_put_path : plan_.rates.put_path;
  schedule(std::max(now() + least, pass_sm(agent, size, path)), Event::Kind::issued, agent);
}

// A piece has passed the SM: it queues for the first link, or for the own memory.
void Execution::leave_sm(std::uint32_t agent) {
  AgentState& state = agents_[agent];
  const Operation& operation = plan_.operations[state.next];
  const auto source = static_cast<std::uint16_t>(rank_of(agent));
  const bool local = operation.target == source;
  const std::uint32_t size = local ? state.put_left : std::min(state.put_left, put_chunk_);
  ++state.unacknowledged;
  state.put_left -= size;
  const std::uint32_t slot =
      messages_.put({agent, source, static_cast<std::uint16_t>(operation.target), size, 1});
  if (local) {
    use_memory(source,
               MemoryClient::pack(MemoryClient::Kind::message, slot),
               scaled(size, plan_.rates.local_put_traffic),
               0);
    return continue_put(agent, now());
  }
  const LinkId first = fabric_.route(source, operation.target).front();
  const Instant left = fabric_.cross(first, size, now());
  schedule(left + fabric_.hop_latency(first), Event::Kind::hop, slot);
  continue_put(agent, left);
}

// The put ends when its last piece has left; others follow as far as the window allows.
void Execution::continue_put(std::uint32_t agent, Instant left) {
  AgentState& state = agents_[agent];
  if (state.put_left > 0 && state.unacknowledged < plan_.rates.put_window)
    return issue_piece(agent);
  if (state.put_left > 0)
    state.stalled = true;
  else if (left > now())
    schedule(left, Event::Kind::resume, agent);
  else
    end_operation(agent);
}

void Execution::next_hop(std::uint32_t slot) {
  Message& message = messages_[slot];
  const auto route = fabric_.route(message.source, message.target);
  if (message.next_hop == route.size())
    return schedule(now() + plan_.rates.put_latency, Event::Kind::delivered, slot);
  const LinkId link = route[message.next_hop++];
  const Instant left = fabric_.cross(link, message.size, now());
  const bool last = message.next_hop == route.size();
  schedule(left + fabric_.hop_latency(link) + (last ? plan_.rates.put_latency : Duration{}),
           last ? Event::Kind::delivered : Event::Kind::hop,
           slot);
}

void Execution::deliver(std::uint32_t slot) {
  const Message message = messages_[slot];
  messages_.release(slot);
  const bool local = message.source == message.target;
  const Duration back = local ? Duration{} : plan_.rates.acknowledge;
  if (back == Duration{}) return acknowledge(message.agent);
  schedule(now() + back, Event::Kind::acknowledged, message.agent);
}

void Execution::acknowledge(std::uint32_t agent) {
  AgentState& state = agents_[agent];
  check(state.unacknowledged > 0, "every piece is acknowledged once");
  --state.unacknowledged;
  if (state.stalled) {
    state.stalled = false;
    return issue_piece(agent);
  }
  if (!state.draining || state.unacknowledged > 0) return;
  state.draining = false;
  schedule(now() + Duration{plan_.operations[state.next].time}, Event::Kind::resume, agent);
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
        schedule(std::max(now(), agents_[slot].sm_done) +
                     Duration{plan_.operations[agents_[slot].next].time},
                 Event::Kind::resume,
                 slot);
        break;
      case MemoryClient::Kind::load:
        schedule(now() + Duration{loads_[slot].latency}, Event::Kind::landed, slot);
        break;
      case MemoryClient::Kind::message:
        schedule(now() + plan_.rates.local_latency, Event::Kind::delivered, slot);
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
