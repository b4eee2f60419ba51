#include "sim/protocols/capture.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::string_view kLegacyStream = "legacy";

// What a captured stream has behind it: how many nodes of each stream.
using Nodes = std::map<std::string, std::uint32_t>;

// The captures of one rank, call by call.
class CapturePass {
 public:
  CapturePass(const CallSequence& sequence, std::uint32_t rank)
      : sequence_(sequence), rank_(rank) {}

  std::vector<Finding> run() {
    for (const Call& call : sequence_.calls) {
      if (!is_mine(call)) continue;
      if (call.kind == CallKind::capture)
        capture(call);
      else
        outside(call);
    }
    return std::move(findings_);
  }

 private:
  [[nodiscard]] bool is_mine(const Call& call) const {
    return std::find(call.ranks.begin(), call.ranks.end(), rank_) != call.ranks.end();
  }

  void find(std::string_view operation, const Call& call, const std::string& text) {
    find(rule_of_operation(operation), call, text);
  }

  void find(const CaptureRule& rule, const Call& call, const std::string& text) {
    find(rule, *capture_, call, text);
  }

  void find(const CaptureRule& rule, const Call& graph, const Call& call, const std::string& text) {
    findings_.push_back(
        capture_finding(rule,
                        {rank_, graph.id, fmt::format("capture of graph {}", graph.label)},
                        {rank_, call.id, text}));
    findings_.back().location = fmt::format("graph {}", graph.label);
  }

  // Events that were captured are no events outside.
  void outside(const Call& call) {
    if (call.kind == CallKind::record) event_graph_.erase(call.label);
    const auto graph = event_graph_.find(call.label);
    if (call.label.empty() || graph == event_graph_.end()) return;
    if (call.kind == CallKind::wait)
      find(rule_of_operation("wait outside for a captured event"),
           *graph->second,
           call,
           fmt::format("stream {} waits for event {}", call.stream, call.label));
    if (call.kind == CallKind::sync)
      find(rule_of_operation("wait of the CPU for a captured event"),
           *graph->second,
           call,
           fmt::format("{} waits for event {}", call.name, call.label));
  }

  void capture(const Call& capture) {
    capture_ = &capture;
    streams_ = {{capture.stream, {}}};
    events_.clear();
    low_latency_.clear();
    if (capture.stream == kLegacyStream)
      find("work on the legacy default stream", capture, "the capture begins on that stream");
    for (const Call& call : capture.body)
      if (is_mine(call)) inside(call);
    const Nodes& joined = streams_.at(capture.stream);
    for (const auto& [name, nodes] : streams_) {
      const auto own = nodes.find(name);
      if (own == nodes.end()) continue;
      const auto known = joined.find(name);
      if (known == joined.end() || known->second < own->second)
        find("stream that is not joined",
             capture,
             fmt::format("the capture ends; stream {} has work that stream {} never waits for",
                         name,
                         capture.stream));
    }
    find_frozen_counters(capture);
    capture_ = nullptr;
  }

  void inside(const Call& call) {
    switch (call.kind) {
      case CallKind::sync:
        return sync(call);
      case CallKind::cuda: {
        const CaptureRule& rule = *rule_of_call(call.label);
        if (rule.effect != CaptureEffect::recorded) find(rule, call, call.label);
        return;
      }
      case CallKind::allocate:
        return find("allocation", call, call.name);
      case CallKind::free:
        return find("end of an allocation", call, call.name);
      case CallKind::return_slot:
      case CallKind::post_slot:
      case CallKind::take_slot:
      case CallKind::post:
      case CallKind::await:
        return find("work of the CPU between the calls", call, call.name);
      case CallKind::record:
        return record(call);
      case CallKind::wait:
        return wait(call);
      default:
        return work(call);
    }
  }

  void sync(const Call& call) {
    if (!call.label.empty()) {
      if (event_graph_.contains(call.label))
        find("wait of the CPU for a captured event",
             call,
             fmt::format("{} waits for event {}", call.name, call.label));
      return;
    }
    if (call.stream.empty() || streams_.contains(call.stream))
      find("wait of the CPU for a stream or a device",
           call,
           call.stream.empty() ? fmt::format("{} waits for the device", call.name)
                               : fmt::format("{} waits for stream {}", call.name, call.stream));
  }

  void record(const Call& call) {
    const auto stream = streams_.find(call.stream);
    if (stream == streams_.end()) {
      event_graph_.erase(call.label);
      events_.erase(call.label);
      return;
    }
    event_graph_[call.label] = capture_;
    events_[call.label] = stream->second;
  }

  void wait(const Call& call) {
    const auto stream = streams_.find(call.stream);
    const auto graph = event_graph_.find(call.label);
    const std::string text = fmt::format("stream {} waits for event {}", call.stream, call.label);
    if (graph == event_graph_.end()) {
      if (stream != streams_.end()) find("wait for an event from outside", call, text);
      return;
    }
    if (graph->second != capture_) {
      find(stream != streams_.end() ? "wait for an event of another capture"
                                    : "wait outside for a captured event",
           call,
           text);
      return;
    }
    Nodes& known = streams_[call.stream];
    for (const auto& [name, count] : events_[call.label])
      known[name] = std::max(known[name], count);
  }

  void work(const Call& call) {
    if (call.stream == kLegacyStream)
      return find("work on the legacy default stream", call, call.name);
    const auto stream = streams_.find(call.stream);
    if (call.kind == CallKind::dispatch || call.kind == CallKind::combine)
      low_latency_[call.handle].push_back(&call);
    if (stream == streams_.end())
      return find("work on a stream beside the capture",
                  call,
                  fmt::format("{} on stream {}", call.name, call.stream));
    ++stream->second[call.stream];
  }

  void find_frozen_counters(const Call& capture) {
    for (const auto& [handle, calls] : low_latency_) {
      const CallHandle& counter = sequence_.handles[handle];
      const WordKind words = sequence_.buffers[counter.buffer].words;
      if (words == WordKind::device_tagged) continue;
      const std::string text =
          fmt::format("{} {} of handle {}: {}",
                      calls.size(),
                      calls.size() == 1 ? "low-latency call" : "low-latency calls",
                      counter.name,
                      calls.size() == 1 ? calls.front()->name
                                        : calls.front()->name + " to " + calls.back()->name);
      if (calls.size() % 2 == 1) find("parity that the host counts", capture, text);
      // With two calls a parity, a word that is left over is not the one that comes next.
      if (words == WordKind::tagged && calls.size() < 4)
        find("generation that the host counts", capture, text);
    }
  }

  const CallSequence& sequence_;
  std::uint32_t rank_;
  const Call* capture_ = nullptr;
  std::map<std::string, Nodes> streams_;                           // of the capture in hand
  std::map<std::string, Nodes> events_;                            // likewise
  std::map<std::uint32_t, std::vector<const Call*>> low_latency_;  // likewise, by handle
  std::map<std::string, const Call*> event_graph_;  // of events last recorded in a capture: which
  std::vector<Finding> findings_;
};

}  // namespace

Finding capture_finding(const CaptureRule& rule,
                        const OperationAt& graph,
                        const OperationAt& operation) {
  Finding finding;
  finding.kind = HazardKind::capture;
  finding.verdict = rule.effect == CaptureEffect::fails ? Verdict::error : Verdict::formal;
  finding.basis = Basis::forbidden_by_text;
  finding.first = graph;
  finding.second = operation;
  finding.missing = fmt::format("{}: {}", rule.operation, rule.why);
  if (!rule.error.empty()) finding.missing += fmt::format(" ({})", rule.error);
  finding.closes = rule.instead;
  return finding;
}

std::vector<Finding> capture_findings(const CallSequence& sequence) {
  std::vector<Finding> all;
  std::map<std::pair<std::uint32_t, std::string>, std::size_t> seen;  // by call and what is wrong
  for (std::uint32_t rank = 0; rank < sequence.ranks; ++rank)
    for (Finding& finding : CapturePass(sequence, rank).run()) {
      const auto [row, is_new] =
          seen.try_emplace({finding.second.op, finding.second.text + finding.missing}, all.size());
      if (is_new)
        all.push_back(std::move(finding));
      else
        ++all[row->second].instances;
    }
  return all;
}

}  // namespace epsim
