#include "sim/protocols/call_advice.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/protocols/call_memory.hpp"

namespace epsim {
namespace {

bool is_low_latency(const Call& call) {
  return call.kind == CallKind::dispatch || call.kind == CallKind::combine;
}

class Adviser {
 public:
  Adviser(const CallProgram& program, const CallSequence& sequence)
      : program_(program), sequence_(sequence), calls_(sequence.call_count) {
    for_each_call(sequence.calls, [&](const Call& call) { calls_[call.id] = &call; });
    for (const Call& call : sequence.calls)
      for (const Call& inside : call.body) graphs_.emplace_back(inside.id, &call);
  }

  // Empty where there is nothing to add.
  [[nodiscard]] std::string closes(const Finding& finding) const {
    const CallStep& first = program_.steps[finding.first.op];
    const CallStep& second = program_.steps[finding.second.op];
    const Call& a = *calls_[first.call];
    const Call& b = *calls_[second.call];
    if (finding.kind == HazardKind::use_after_end) return lifetime(a, b);
    for (const Call* slot : {&a, &b})
      if (slot->kind == CallKind::return_slot || slot->kind == CallKind::post_slot)
        return staging(slot == &a ? b : a, *slot);
    if (a.kind == CallKind::clean || b.kind == CallKind::clean)
      return fmt::format("a barrier of all ranks before and after {}",
                         (a.kind == CallKind::clean ? a : b).name);
    if (is_low_latency(a) && is_low_latency(b)) return low_latency(a, b);
    if (a.kind == CallKind::exchange || b.kind == CallKind::exchange) return exchange(a, b);
    if (a.kind == CallKind::collective && b.kind == CallKind::collective) return collective(a, b);
    return {};
  }

 private:
  [[nodiscard]] const Call* graph_of(const Call& call) const {
    const auto found = std::find_if(
        graphs_.begin(), graphs_.end(), [&](const auto& entry) { return entry.first == call.id; });
    return found == graphs_.end() ? nullptr : found->second;
  }

  [[nodiscard]] std::string lifetime(const Call& a, const Call& b) const {
    const Call& end = a.kind == CallKind::free ? a : b;
    const Call& use = a.kind == CallKind::free ? b : a;
    if (const Call* graph = graph_of(use))
      return fmt::format(
          "one allocation before the capture of graph {}, which keeps the address; {} when the "
          "graph is destroyed",
          graph->label,
          end.name);
    return fmt::format("{} after a wait of the CPU for {}", end.name, use.name);
  }

  [[nodiscard]] static std::string collective(const Call& a, const Call& b) {
    if (a.thread == b.thread) return {};
    return fmt::format(
        "a communicator for each of threads {} and {}; or a baton that one puts down behind {} and "
        "the other takes before {}",
        a.thread,
        b.thread,
        a.name,
        b.name);
  }

  [[nodiscard]] static std::string staging(const Call& kernel, const Call& slot) {
    return fmt::format(
        "an event after {} that the CPU waits for before {}", kernel.name, slot.name);
  }

  [[nodiscard]] static std::size_t calls_of_handle(const Call& graph, std::uint32_t handle) {
    return static_cast<std::size_t>(
        std::count_if(graph.body.begin(), graph.body.end(), [&](const Call& call) {
          return is_low_latency(call) && call.handle == handle;
        }));
  }

  [[nodiscard]] std::string low_latency(const Call& a, const Call& b) const {
    const CallHandle& handle = sequence_.handles[a.handle];
    const CallBuffer& buffer = sequence_.buffers[handle.buffer];
    const auto handles = std::count_if(
        sequence_.handles.begin(), sequence_.handles.end(), [&](const CallHandle& other) {
          return other.buffer == handle.buffer;
        });
    if (handles > 1)
      return fmt::format(
          "one handle for buffer {}, or words tagged with a generation that the buffer counts",
          buffer.name);
    for (const Call* call : {&a, &b}) {
      const Call* graph = graph_of(*call);
      if (graph == nullptr || buffer.words == WordKind::device_tagged) continue;
      if (calls_of_handle(*graph, a.handle) % 2 == 1)
        return fmt::format(
            "an even number of low-latency calls of handle {} in graph {}; or words and parity "
            "from a counter in device memory",
            handle.name,
            graph->label);
      if (buffer.words == WordKind::tagged)
        return fmt::format("a generation counted in device memory in place of that of graph {}",
                           graph->label);
    }
    if (graph_of(a) != graph_of(b))
      return fmt::format(
          "graphs and calls of handle {} that all begin at one parity: an even number of its calls "
          "before each capture and between replays",
          handle.name);
    const auto& [earlier, later] = a.id < b.id ? std::pair(&a, &b) : std::pair(&b, &a);
    if (!(a.shape == b.shape))
      return fmt::format(
          "clean_low_latency_buffer with a barrier on both sides between {} and {}, or one shape "
          "for all calls",
          earlier->name,
          later->name);
    if (a.id == b.id)
      return fmt::format(
          "the same low-latency calls of handle {} in the same order on every rank, each received "
          "before the next is sent",
          handle.name);
    return fmt::format("the receive of {} before the send of {}, on one stream or behind an event",
                       earlier->name,
                       later->name);
  }

  [[nodiscard]] std::string exchange(const Call& a, const Call& b) const {
    const Call& one = a.kind == CallKind::exchange ? a : b;
    const Call& other = a.kind == CallKind::exchange ? b : a;
    const std::string& tag = sequence_.objects[one.object].name;
    if (one.world_rank || one.world_size)
      return fmt::format(
          "rank and size of communicator {}, passed to the call, not those of all "
          "ranks",
          sequence_.communicators[one.communicator].name);
    if (other.kind != CallKind::exchange)
      return fmt::format("an event after {}, that the stream of {} waits for before its next call",
                         other.name,
                         one.name);
    if (other.object != one.object) return {};
    if (one.meetings != ExchangeMeetings::both || other.meetings != ExchangeMeetings::both)
      return fmt::format("both meetings, of counts and of rows, in every call of tag {}", tag);
    return fmt::format(
        "a tag for each call that may run beside another, or an event that orders {} and {}",
        one.name,
        other.name);
  }

  const CallProgram& program_;
  const CallSequence& sequence_;
  std::vector<const Call*> calls_;
  std::vector<std::pair<std::uint32_t, const Call*>> graphs_;  // by call inside: its capture
};

}  // namespace

void advise(Finding& finding, const CallProgram& program, const CallSequence& sequence) {
  if (finding.verdict == Verdict::platform) return;
  const std::string closes = Adviser(program, sequence).closes(finding);
  if (!closes.empty()) finding.closes = closes;
}

}  // namespace epsim
