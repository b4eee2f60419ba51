// What is posted to NICs: doorbells, queue pairs, the way through the network, and the order in
// which a target sees what one queue pair brought.
#include <algorithm>

#include "sim/base/check.hpp"
#include "sim/execution.hpp"

namespace epsim {
namespace {

constexpr std::uint32_t kAtomicBytes = 8;

// Which of equally short ways a switch takes for a queue pair: Steele, Lea and Flood's splitmix64.
std::uint64_t hash_of(std::uint64_t queue, std::uint64_t node) {
  std::uint64_t z = (queue << 32 | node) + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

bool is_signal(const Operation& operation) {
  return operation.kind == OpKind::post_signal;
}

}  // namespace

// The agent has written its request: it waits for the doorbell that announces it.
void Execution::hand_over(std::uint32_t agent) {
  const std::uint32_t index = agents_[agent].next;
  const Operation& operation = plan_.operations[index];
  const std::uint32_t queue = is_signal(operation) ? operation.count : operation.target;
  QueuePairState& state = queue_pairs_[queue];
  const std::uint32_t message =
      messages_.put({.operation = index,
                     .agent = agent,
                     .queue = queue,
                     .target = plan_.queue_pairs[queue].target.value,
                     .sequence = state.posted++,
                     .size = is_signal(operation) ? kAtomicBytes : operation.count});
  if (state.first_silent == kNobody)
    state.first_silent = message;
  else
    messages_[state.last_silent].next = message;
  state.last_silent = message;
  if ((operation.detail & kAcknowledged) != 0) ++agents_[agent].under_way;
  if ((operation.detail & kRings) != 0) ring(queue);
}

// The NIC sees the doorbell, or a host thread sees the requests and rings it; the queue pair then
// works its messages off one after the other.
void Execution::ring(std::uint32_t queue) {
  QueuePairState& state = queue_pairs_[queue];
  const NicRates& rates = plan_.nic;
  NicState& nic = nics_[plan_.queue_pairs[queue].source.index()];
  Instant seen = now();
  bool is_first = true;
  for (std::uint32_t m = state.first_silent; m != kNobody; is_first = false) {
    const std::uint32_t following = messages_[m].next;
    messages_[m].next = kNobody;
    if (rates.proxy_message > Duration{}) {
      nic.proxy_free = std::max(nic.proxy_free, now() + rates.proxy_latency) + rates.proxy_message;
      seen = nic.proxy_free;
    }
    state.free =
        std::max(state.free, seen) + (is_first ? rates.doorbell : Duration{}) + rates.queue_message;
    schedule(state.free, Event::Kind::fetch, m);
    m = following;
  }
  state.first_silent = state.last_silent = kNobody;
}

void Execution::enter_nic(std::uint32_t m) {
  const QueuePair& pair = plan_.queue_pairs[messages_[m].queue];
  NicState& nic = nics_[pair.source.index()];
  nic.free = std::max(nic.free, now()) + plan_.nic.message;
  const GpuId source{pair.source.value};
  GpuId towards{pair.target.value};
  // Ranks that a fold tells by the sender's own lie elsewhere: the way out is that to any other
  // GPU.
  if (source == towards)
    towards = GpuId{(source.value + 1) % static_cast<std::uint32_t>(topology_.gpu_count())};
  Instant head = nic.free;
  Instant tail = nic.free;
  for (NodeId at = topology_.gpu(source);;) {
    const auto links = topology_.network_links(at, towards);
    check(!links.empty(), "the network leads from a NIC to every GPU");
    const LinkId link = choose(links, messages_[m].queue, at);
    const std::uint32_t size = messages_[m].size;
    tail = fabric_.cross(link, size, head, tail).arrived;
    head = tail - fabric_.occupancy(link, size);
    at = link_ends_[link.index()].node;
    const NodeKind kind = link_ends_[link.index()].kind;
    if (kind == NodeKind::gpu) return reach_gpu(m, tail);
    if (kind == NodeKind::network_switch)
      return queue_.schedule(tail, Event{m, 0, link.value, 0, Event::Kind::arrive});
  }
}

// From a switch to the next one, or to the target's GPU: links behind the last switch lead nowhere
// else, so that who enters them first arrives first.
void Execution::travel(NetworkStep step) {
  const NetworkMessage& message = messages_[step.message];
  const GpuId target{message.target};
  for (;;) {
    const NodeId at = link_ends_[step.crossed.index()].node;
    const Instant head = step.tail - fabric_.occupancy(step.crossed, message.size);
    const auto links = topology_.network_links(at, target);
    check(!links.empty(), "a switch leads on to every GPU");
    step.crossed = choose(links, message.queue, at);
    step.tail = fabric_.cross(step.crossed, message.size, head, step.tail).arrived;
    const NodeKind kind = link_ends_[step.crossed.index()].kind;
    if (kind == NodeKind::gpu) return reach_gpu(step.message, step.tail);
    if (kind == NodeKind::network_switch)
      return queue_.schedule(step.tail,
                             Event{step.message, 0, step.crossed.value, 0, Event::Kind::arrive});
  }
}

LinkId Execution::choose(std::span<const LinkId> links, std::uint32_t queue, NodeId at) const {
  if (links.size() == 1) return links.front();
  if (topology_.network_routing() == NetworkRouting::adaptive) return fabric_.first_free(links);
  return links[hash_of(queue, at.value) % links.size()];
}

// Messages of a queue pair that took different ways may overtake each other; the target sees them
// in the order in which they were posted.
void Execution::reach_gpu(std::uint32_t m, Instant arrived) {
  QueuePairState& state = queue_pairs_[messages_[m].queue];
  if (messages_[m].sequence != state.delivered) {
    timeline_.end[messages_[m].operation] = arrived;  // until it is its turn
    messages_[m].next = state.early;
    state.early = m;
    return;
  }
  deliver(m, arrived);
  for (std::uint32_t* link = &state.early; *link != kNobody;) {
    const std::uint32_t waiting = *link;
    if (messages_[waiting].sequence != state.delivered) {
      link = &messages_[waiting].next;
      continue;
    }
    *link = messages_[waiting].next;
    deliver(waiting, timeline_.end[messages_[waiting].operation]);
    link = &state.early;
  }
}

void Execution::deliver(std::uint32_t m, Instant arrived) {
  const NetworkMessage message = messages_[m];
  messages_.release(m);
  const Operation& operation = plan_.operations[message.operation];
  QueuePairState& state = queue_pairs_[message.queue];
  ++state.delivered;
  const Duration late = plan_.nic.latency + (is_signal(operation) ? plan_.nic.atomic : Duration{});
  state.visible = std::max(state.visible, arrived + late);
  timeline_.end[message.operation] = state.visible;
  if (is_signal(operation)) {
    const std::uint32_t increment = operation.detail >> kIncrementShift;
    queue_.schedule(state.visible, Event{operation.target, increment, 0, 0, Event::Kind::add});
  }
  if ((operation.detail & kAcknowledged) != 0)
    reach_target(message.agent, state.visible + plan_.nic.acknowledge);
}

}  // namespace epsim
