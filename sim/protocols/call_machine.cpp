#include "sim/protocols/call_machine.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::size_t kMostOperations = 2'000'000;

}  // namespace

CallMachine::CallMachine(const CallSequence& sequence)
    : sequence_(sequence), protocols_(sequence, emitter_), ranks_(sequence.ranks) {
  for (RankState& state : ranks_) {
    state.parity.resize(sequence.handles.size());
    state.generation.resize(sequence.handles.size());
    state.buffer_lives.resize(sequence.buffers.size());
    state.object_lives.resize(sequence.objects.size());
  }
}

CallProgram CallMachine::run() {
  for (const Call& call : sequence_.calls) {
    const std::int64_t begin = moment_;
    std::int64_t end = begin;
    for (const std::uint32_t rank : call.ranks) {
      moment_ = begin;
      make(rank, call);
      end = std::max(end, moment_);
    }
    moment_ = end;
  }
  return emitter_.take(sequence_);
}

void CallMachine::fail(const Call& call, const std::string& what) const {
  throw InputError(sequence_.file, call.place, what);
}

CallStep CallMachine::step(const CallPlace& at, const Call& call, const std::string& text) const {
  return protocols_.step(at, call, CallRole::launch, text);
}

CallPlace CallMachine::host(std::uint32_t rank, const Call& call) {
  return {emitter_.agent(
              AgentKind::cpu, kHostGpu, fmt::format("CPU thread {} of rank {}", call.thread, rank)),
          rank};
}

CallPlace CallMachine::stream(std::uint32_t rank, const std::string& name) {
  ranks_[rank].streams.insert(name);
  return {emitter_.agent(AgentKind::stream, rank, fmt::format("stream {} of rank {}", name, rank)),
          rank};
}

void CallMachine::make(std::uint32_t rank, const Call& call) {
  thread_ = call.thread;
  ++ranks_[rank].threads[thread_][thread_];
  emitter_.begin(++moment_);
  if (emitter_.operations() > kMostOperations)
    fail(call, fmt::format("more than {} operations up to here", kMostOperations));
  switch (call.kind) {
    case CallKind::dispatch:
    case CallKind::combine:
    case CallKind::hook:
    case CallKind::clean:
    case CallKind::exchange:
    case CallKind::collective:
    case CallKind::kernel:
    case CallKind::record:
    case CallKind::wait:
      return enqueue(rank, issue(rank, call));
    case CallKind::sync:
      return sync(rank, call);
    case CallKind::allocate:
      return allocate(rank, call);
    case CallKind::free:
      return free(rank, call);
    case CallKind::return_slot:
    case CallKind::post_slot:
      return tell_nic(rank, call);
    case CallKind::take_slot:
      return take_slot(rank, call);
    case CallKind::post:
      return post(rank, call);
    case CallKind::await:
      return await(rank, call);
    case CallKind::capture:
      return capture(rank, call);
    case CallKind::replay:
      return replay(rank, call);
    case CallKind::cuda:
      return;
  }
}

// What the host decides: the parity flips at each low-latency call, captured or not.
IssuedCall CallMachine::issue(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  if (call.kind == CallKind::hook) {
    const auto send = state.sends.find(call.of);
    if (send == state.sends.end())
      fail(call, fmt::format("rank {} did not send what this receives", rank));
    IssuedCall received = send->second;
    received.sender = send->second.call;
    received.call = &call;
    return received;
  }
  IssuedCall issued{.call = &call, .lives = state.object_lives};
  const bool is_low_latency = call.kind == CallKind::dispatch || call.kind == CallKind::combine;
  if (is_low_latency || call.kind == CallKind::clean)
    issued.life = state.buffer_lives[sequence_.handles[call.handle].buffer];
  if (is_low_latency) {
    issued.parity = state.parity[call.handle];
    state.parity[call.handle] ^= 1U;
    issued.generation = ++state.generation[call.handle];
    if (call.split) state.sends[call.id] = issued;
  }
  return issued;
}

bool CallMachine::is_captured(std::uint32_t rank, const IssuedCall& issued) {
  Graph* graph = ranks_[rank].capturing;
  if (graph == nullptr) return false;
  const Call& call = *issued.call;
  const bool inside = graph->streams.contains(call.stream);
  if (call.kind == CallKind::wait) {
    const bool event_inside = graph->recorded.contains(call.label);
    if (!inside && !event_inside) return false;
    // A wait across the border breaks the capture; capture_findings says so.
    if (inside && !event_inside) return true;
    graph->streams.insert(call.stream);
  } else if (!inside) {
    return false;
  }
  if (call.kind == CallKind::record) {
    graph->recorded.insert(call.label);
    ranks_[rank].events.erase(call.label);
  }
  graph->nodes.push_back(issued);
  return true;
}

// Such an event orders nothing outside of its graph; capture_findings says so.
bool CallMachine::was_captured(std::uint32_t rank, const std::string& event) const {
  const auto& graphs = ranks_[rank].graphs;
  return std::any_of(graphs.begin(), graphs.end(), [&](const auto& graph) {
    return graph.second.recorded.contains(event);
  });
}

void CallMachine::enqueue(std::uint32_t rank, const IssuedCall& issued) {
  if (is_captured(rank, issued)) return;
  const Call& call = *issued.call;
  const CallPlace at = stream(rank, call.stream);
  if (call.kind != CallKind::record && call.kind != CallKind::wait) {
    const CallPlace from = host(rank, call);
    const std::uint32_t launched =
        emitter_.api_signal(from.agent, step(from, call, fmt::format("launches {}", call.name)));
    emitter_.api_wait(at.agent, launched, step(at, call, fmt::format("{} starts", call.name)));
  }
  emit_device(at, issued, ranks_[rank].events);
}

void CallMachine::emit_device(const CallPlace& at, const IssuedCall& issued, Events& events) {
  const Call& call = *issued.call;
  switch (call.kind) {
    case CallKind::dispatch:
    case CallKind::combine:
      protocols_.send(at, issued);
      if (!call.split) protocols_.receive(at, issued);
      return;
    case CallKind::hook:
      return protocols_.receive(at, issued);
    case CallKind::clean:
      return protocols_.clean(at, issued);
    case CallKind::exchange:
      return protocols_.exchange(at, issued);
    case CallKind::kernel:
      return protocols_.kernel(at, issued);
    case CallKind::collective:
      return emit_collective(at, issued);
    case CallKind::record:
      events[call.label] = emitter_.api_signal(
          at.agent, step(at, call, fmt::format("records event {}", call.label)));
      return;
    case CallKind::wait: {
      const auto event = events.find(call.label);
      if (event == events.end()) {
        if (was_captured(at.rank, call.label)) return;
        fail(call, fmt::format("event {} is not recorded before", call.label));
      }
      return emitter_.api_wait(
          at.agent, event->second, step(at, call, fmt::format("waits for event {}", call.label)));
    }
    default:
      return;
  }
}

// A library keeps the collectives of one communicator in the order in which its rank enqueued them,
// whatever the streams. Threads that nothing orders enqueue in any order.
void CallMachine::emit_collective(const CallPlace& at, const IssuedCall& issued) {
  RankState& state = ranks_[at.rank];
  const Call& call = *issued.call;
  const auto last = state.collectives.find(call.communicator);
  if (last != state.collectives.end() && last->second.agent != at.agent &&
      state.threads[thread_][last->second.thread] >= last->second.made)
    emitter_.api_wait(at.agent,
                      last->second.flag,
                      step(at, call, fmt::format("{} waits for the communicator", call.name)));
  protocols_.collective(at, issued);
  const std::uint32_t over = emitter_.api_signal(
      at.agent, step(at, call, fmt::format("{} leaves the communicator", call.name)));
  state.collectives[call.communicator] = {thread_, state.threads[thread_][thread_], at.agent, over};
}

void CallMachine::sync(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  const CallPlace at = host(rank, call);
  const auto wait_for = [&](std::uint32_t flag, const std::string& what) {
    emitter_.api_wait(
        at.agent, flag, step(at, call, fmt::format("{} waits for {}", call.name, what)));
  };
  if (!call.label.empty()) {
    const auto event = state.events.find(call.label);
    if (event == state.events.end() && was_captured(rank, call.label)) return;
    if (event == state.events.end())
      fail(call, fmt::format("event {} is not recorded before", call.label));
    return wait_for(event->second, "event " + call.label);
  }
  const std::set<std::string> streams =
      call.stream.empty() ? state.streams : std::set<std::string>{call.stream};
  for (const std::string& name : streams) {
    if (state.capturing != nullptr && state.capturing->streams.contains(name)) continue;
    const CallPlace from = stream(rank, name);
    wait_for(emitter_.api_signal(from.agent, step(from, call, "ends what it was given")),
             "stream " + name);
  }
}

void CallMachine::post(std::uint32_t rank, const Call& call) {
  const CallPlace at = host(rank, call);
  const std::uint32_t flag =
      emitter_.api_signal(at.agent, step(at, call, fmt::format("puts baton {} down", call.label)));
  ranks_[rank].batons[call.label] = {flag, ranks_[rank].threads[call.thread]};
}

void CallMachine::await(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  const auto baton = state.batons.find(call.label);
  if (baton == state.batons.end())
    fail(call, fmt::format("nobody puts baton {} down before", call.label));
  const CallPlace at = host(rank, call);
  emitter_.api_wait(
      at.agent, baton->second.first, step(at, call, fmt::format("takes baton {}", call.label)));
  for (const auto& [thread, made] : baton->second.second) {
    std::uint32_t& known = state.threads[call.thread][thread];
    known = std::max(known, made);
  }
}

// A buffer is exchanged with the peers, so that all ranks meet; a tensor is the rank's own.
void CallMachine::allocate(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  std::uint32_t& life =
      call.is_buffer ? state.buffer_lives[call.object] : state.object_lives[call.object];
  ++life;
  if (call.is_buffer)
    protocols_.barrier(host(rank, call), call, fmt::format("allocation {}.{}", call.object, life));
}

void CallMachine::free(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  IssuedCall issued{.call = &call, .lives = state.object_lives};
  if (call.is_buffer) issued.life = state.buffer_lives[call.object];
  protocols_.end_life(host(rank, call), issued);
}

void CallMachine::tell_nic(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  const std::string& slot = sequence_.objects[call.object].name;
  const bool fills = call.kind == CallKind::return_slot;
  const CallPlace from = host(rank, call);
  const CallPlace nic{
      emitter_.agent(AgentKind::nic, kHostGpu, fmt::format("NIC of rank {}, slot {}", rank, slot)),
      rank};
  const std::uint32_t posted = emitter_.api_signal(
      from.agent,
      step(from,
           call,
           fmt::format("{} {} slot {}", call.name, fills ? "gives back" : "posts", slot)));
  emitter_.api_wait(
      nic.agent, posted, step(nic, call, fmt::format("{} reaches the NIC", call.name)));
  emitter_.emit(
      nic.agent,
      {.kind = fills ? SyncOpKind::write : SyncOpKind::read,
       .target = protocols_.memory().tensor(call.object, state.object_lives[call.object], rank)},
      protocols_.step(nic,
                      call,
                      fills ? CallRole::write : CallRole::read,
                      fmt::format("{} slot {} (after {})",
                                  fills ? "writes the next request into" : "reads",
                                  slot,
                                  call.name)));
  state.nic_done[call.object] =
      emitter_.api_signal(nic.agent, step(nic, call, fmt::format("completes {}", call.name)));
}

void CallMachine::take_slot(std::uint32_t rank, const Call& call) {
  const auto done = ranks_[rank].nic_done.find(call.object);
  if (done == ranks_[rank].nic_done.end()) return;
  const CallPlace at = host(rank, call);
  emitter_.api_wait(at.agent,
                    done->second,
                    step(at, call, fmt::format("{} waits for the NIC's completion", call.name)));
}

void CallMachine::capture(std::uint32_t rank, const Call& call) {
  RankState& state = ranks_[rank];
  Graph& graph = state.graphs[call.label];
  graph.capture = &call;
  graph.streams = {call.stream};
  state.capturing = &graph;
  for (const Call& inside : call.body)
    if (std::find(inside.ranks.begin(), inside.ranks.end(), rank) != inside.ranks.end())
      make(rank, inside);
  state.capturing = nullptr;
  thread_ = call.thread;
}

void CallMachine::replay(std::uint32_t rank, const Call& call) {
  const auto graph = ranks_[rank].graphs.find(call.label);
  if (graph == ranks_[rank].graphs.end())
    fail(call, fmt::format("rank {} did not capture graph {}", rank, call.label));
  for (std::uint32_t i = 0; i < call.times; ++i) replay_once(rank, call, graph->second);
}

// The captured stream goes on as the stream of the launch; each other stream of the capture is an
// agent of its own, which the graph's events start. One graph does not run beside itself.
void CallMachine::replay_once(std::uint32_t rank, const Call& call, Graph& graph) {
  const std::uint32_t number = ++graph.replays;
  const CallPlace from = host(rank, call);
  CallPlace origin = stream(rank, call.stream);
  const std::uint32_t launched = emitter_.api_signal(
      from.agent, step(from, call, fmt::format("launches graph {}", call.label)));
  emitter_.api_wait(
      origin.agent, launched, step(origin, call, fmt::format("graph {} starts", call.label)));
  if (graph.newest_end && graph.newest_end->first != origin.agent)
    emitter_.api_wait(
        origin.agent,
        graph.newest_end->second,
        step(origin, call, fmt::format("graph {} waits for its launch before", call.label)));
  Events events;
  origin.replay = number;
  for (const IssuedCall& node : graph.nodes) {
    const std::string& name = node.call->stream;
    CallPlace at = origin;
    if (name != graph.capture->stream)
      at = {emitter_.agent(AgentKind::stream,
                           rank,
                           fmt::format("graph {}, stream {} of rank {}", call.label, name, rank)),
            rank,
            number};
    if (emitter_.operations() > kMostOperations)
      fail(call, fmt::format("more than {} operations up to replay {}", kMostOperations, number));
    emitter_.begin(++moment_);
    emit_device(at, node, events);
  }
  graph.newest_end = {
      origin.agent,
      emitter_.api_signal(origin.agent,
                          step(origin, call, fmt::format("graph {} ends", call.label)))};
}

CallProgram build_call_program(const CallSequence& sequence) {
  return CallMachine(sequence).run();
}

SyncProgram call_program(const CallSequence& sequence) {
  SyncProgram program = build_call_program(sequence).program;
  program.takes.clear();
  return program;
}

}  // namespace epsim
