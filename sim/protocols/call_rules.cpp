// What the calls themselves show, without any memory access, and the report of a call sequence.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "sim/protocols/call_advice.hpp"
#include "sim/protocols/call_layout.hpp"
#include "sim/protocols/call_machine.hpp"
#include "sim/protocols/call_memory.hpp"
#include "sim/protocols/call_sequence.hpp"
#include "sim/protocols/capture.hpp"

namespace epsim {
namespace {

bool is_low_latency(const Call& call) {
  return call.kind == CallKind::dispatch || call.kind == CallKind::combine;
}

class CallRules {
 public:
  explicit CallRules(const CallSequence& sequence) : sequence_(sequence) {}

  std::vector<Finding> run() {
    find_unreceived();
    for (std::uint32_t rank = 0; rank < sequence_.ranks; ++rank) find_used_words(rank);
    find_slots_out_of_range();
    return std::move(findings_);
  }

 private:
  Finding& find(std::uint32_t rank, const Call& first, const Call& second) {
    const auto [row, is_new] = seen_.try_emplace({first.id, second.id}, findings_.size());
    if (!is_new) {
      ++findings_[row->second].instances;
      return findings_[row->second];
    }
    Finding finding;
    finding.kind = HazardKind::call_order;
    finding.verdict = Verdict::error;
    finding.basis = Basis::forbidden_by_text;
    finding.first = {rank, first.id, fmt::format("rank {}: {}", rank, first.name)};
    finding.second = {rank, second.id, fmt::format("rank {}: {}", rank, second.name)};
    findings_.push_back(std::move(finding));
    return findings_.back();
  }

  // A send whose hook is never called: its rows are never read, its words never seen.
  void find_unreceived() {
    std::set<std::pair<std::uint32_t, std::uint32_t>> received;  // by call and rank
    for_each_call(sequence_.calls, [&](const Call& call) {
      if (call.kind != CallKind::hook) return;
      for (const std::uint32_t rank : call.ranks) received.emplace(call.of, rank);
    });
    for_each_call(sequence_.calls, [&](const Call& call) {
      if (!is_low_latency(call) || !call.split) return;
      for (const std::uint32_t rank : call.ranks) {
        if (received.contains({call.id, rank})) continue;
        Finding& finding = find(rank, call, call);
        if (finding.instances > 1) continue;
        finding.second.text = fmt::format("rank {}: the end of the calls", rank);
        finding.location = fmt::format("handle {}", sequence_.handles[call.handle].name);
        finding.missing = fmt::format(
            "the receive of {}: its send kernel ends when local rows are on their way, and nothing "
            "waits for those of the peers",
            call.name);
        finding.closes = fmt::format(
            "a hook of {} on the stream of its send, before its rows are used and before the next "
            "send of the handle",
            call.name);
      }
    });
  }

  // Calls of a rank as its device runs them: graphs where they are replayed.
  template <typename Visit>
  void for_each_run(std::uint32_t rank, Visit visit) const {
    std::map<std::string, const Call*> graphs;
    const auto visit_mine = [&](const Call& call) {
      if (std::find(call.ranks.begin(), call.ranks.end(), rank) != call.ranks.end()) visit(call);
    };
    for (const Call& call : sequence_.calls) {
      if (call.kind == CallKind::capture) graphs[call.label] = &call;
      if (call.kind != CallKind::replay) {
        visit_mine(call);
        continue;
      }
      // What one replay leaves behind, the next one finds; a third finds nothing else.
      for (std::uint32_t i = 0; i < std::min(call.times, 2U); ++i)
        for (const Call& inside : graphs.at(call.label)->body) visit_mine(inside);
    }
  }

  // Words behind the rows move with the shape of a call, to where another shape may have put rows.
  void find_used_words(std::uint32_t rank) {
    std::map<std::pair<std::uint32_t, std::uint32_t>, const Call*> used;  // by buffer and word set
    for_each_run(rank, [&](const Call& call) {
      if (!is_low_latency(call) && call.kind != CallKind::clean) return;
      const std::uint32_t buffer = sequence_.handles[call.handle].buffer;
      const CallLayout layout = layout_of(buffer);
      const auto mine = used.find({buffer, layout.word_set(call.shape)});
      if (mine != used.end() && is_low_latency(call)) add_used_words(rank, *mine->second, call);
      if (mine != used.end()) used.erase(mine);
      if (!is_low_latency(call)) return;
      for (const CallShape& other : shapes_of_buffer(sequence_, buffer))
        if (layout.words_were_used(other, call.shape))
          used[{buffer, layout.word_set(other)}] = &call;
    });
  }

  [[nodiscard]] CallLayout layout_of(std::uint32_t buffer) const {
    return {sequence_.buffers[buffer], sequence_.ranks, shapes_of_buffer(sequence_, buffer)};
  }

  void add_used_words(std::uint32_t rank, const Call& earlier, const Call& later) {
    Finding& finding = find(rank, earlier, later);
    finding.location = fmt::format("words of buffer {}",
                                   sequence_.buffers[sequence_.handles[later.handle].buffer].name);
    finding.missing = fmt::format(
        "{} has {} tokens of {} channels and keeps its words where {} (of {} and {}) put rows or "
        "words: a receive takes what lies there for a signal",
        later.name,
        later.shape.tokens,
        later.shape.hidden,
        earlier.name,
        earlier.shape.tokens,
        earlier.shape.hidden);
    finding.closes = fmt::format(
        "clean_low_latency_buffer for the new shape between {} and {}, with a barrier on both "
        "sides; or words before the rows",
        earlier.name,
        later.name);
  }

  // A rank of all ranks used as the place in a smaller group's words.
  void find_slots_out_of_range() {
    for_each_call(sequence_.calls, [&](const Call& call) {
      if (call.kind != CallKind::exchange || !call.world_rank || call.world_size) return;
      const CallCommunicator& group = sequence_.communicators[call.communicator];
      for (const std::uint32_t rank : call.ranks) {
        if (rank < group.ranks.size()) continue;
        Finding& finding = find(rank, call, call);
        finding.location = fmt::format("words of exchange {}", sequence_.objects[call.object].name);
        finding.missing = fmt::format(
            "rank {} of all ranks is no place among the {} words of communicator {}: it writes "
            "behind them",
            rank,
            group.ranks.size(),
            group.name);
        finding.closes = fmt::format("the rank in communicator {}, passed to the call", group.name);
      }
    });
  }

  const CallSequence& sequence_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> seen_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> call_findings(const CallSequence& sequence) {
  std::vector<Finding> findings = CallRules(sequence).run();
  for (Finding& finding : capture_findings(sequence)) findings.push_back(std::move(finding));
  return findings;
}

CheckedProgram check_call_file(const CallSequence& sequence, const CheckOptions& options) {
  const CallProgram program = build_call_program(sequence);
  CheckedProgram checked;
  checked.text = sequence.about;
  checked.report = find_hazards(program.program, options);
  HazardReport& report = checked.report;
  report.operations -= program.pauses;
  std::vector<std::string> places(sequence.call_count);  // by call
  for_each_call(sequence.calls, [&](const Call& call) { places[call.id] = call.place; });
  std::vector<std::pair<Finding, std::string>> found;
  for (Finding& finding : report.findings) {
    finding.gap_us = finding.least_gap_us = {};  // of times that only say what comes first
    advise(finding, program, sequence);
    found.emplace_back(std::move(finding), places[program.steps[finding.second.op].call]);
  }
  for (Finding& finding : call_findings(sequence))
    found.emplace_back(std::move(finding), places[finding.second.op]);
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first.verdict > b.first.verdict;
  });
  report.findings.clear();
  for (auto& [finding, place] : found) {
    report.findings.push_back(std::move(finding));
    checked.pointers.push_back(std::move(place));
  }
  return checked;
}

HazardReport check_calls(const CallSequence& sequence, const CheckOptions& options) {
  return check_call_file(sequence, options).report;
}

}  // namespace epsim
