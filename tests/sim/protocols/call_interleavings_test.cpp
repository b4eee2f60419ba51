// Soundness of the checker on call sequences: random sequences of low-latency calls, exchanges,
// graphs and events, each run in many random orders. Where the checker finds nothing, every order
// must end, every wait must see the word that was meant for it, and every read the same write.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "sim/base/rng.hpp"
#include "sim/hazards/schedule.hpp"
#include "sim/protocols/call_machine.hpp"
#include "sim/protocols/call_sequence.hpp"

using namespace epsim;

namespace {

using Seen = std::map<std::uint32_t, std::vector<std::uint32_t>>;  // by read: the writes it saw

// Memory in which each location holds the operation that wrote it last.
class Memory {
 public:
  explicit Memory(const SyncProgram& program) : newest_(program.locations.size(), kNone) {}

  void perform(const SyncOp& op, std::uint32_t index) {
    for (std::uint32_t l = op.target; l < op.target + op.count; ++l) {
      if (op.kind == SyncOpKind::write) newest_[l] = index;
      if (op.kind == SyncOpKind::read) seen_[index].push_back(newest_[l]);
    }
  }
  [[nodiscard]] const Seen& seen() const { return seen_; }

 private:
  std::vector<std::uint32_t> newest_;
  Seen seen_;
};

bool is_access(const SyncOp& op) {
  return op.kind == SyncOpKind::read || op.kind == SyncOpKind::write;
}

// What reads see when everybody makes the calls in the order of the file.
Seen intended(const SyncProgram& program) {
  Memory memory(program);
  for (const Step& step : make_schedule(program).steps)
    if (is_access(program.ops[step.op])) memory.perform(program.ops[step.op], step.op);
  return memory.seen();
}

// One random order, in which some agents are much faster than others.
class RandomRun {
 public:
  RandomRun(const SyncProgram& program, Rng& rng)
      : program_(program),
        rng_(rng),
        memory_(program),
        words_(program.flags.size()),
        arrived_(program.barriers.size()) {
    for (const SyncAgent& agent : program.agents) {
      next_.push_back(agent.first_op);
      speed_.push_back(1U << (2 * rng_.below(6)));
    }
    at_barrier_.resize(program.agents.size());
  }

  // Empty, or what went wrong.
  std::string run(const Seen& expected) {
    for (std::uint32_t agent = choose(); agent != kNone; agent = choose()) advance(agent);
    for (std::uint32_t a = 0; a < next_.size(); ++a)
      if (!is_done(a)) return "an agent never ends";
    if (took_other_word_) return "a wait takes another word";
    return memory_.seen() == expected ? "" : "a read sees another write";
  }

 private:
  [[nodiscard]] bool is_done(std::uint32_t a) const {
    return next_[a] == program_.agents[a].first_op + program_.agents[a].op_count;
  }

  [[nodiscard]] bool can_go_on(std::uint32_t a) const {
    if (is_done(a) || at_barrier_[a]) return false;
    const SyncOp& op = program_.ops[next_[a]];
    if (op.kind != SyncOpKind::wait) return true;
    if (program_.flags[op.target].order != FlagOrder::word) return words_[op.target] >= op.count;
    return (op.traits & kAnyWord) != 0 ? words_[op.target] != 0 : words_[op.target] == op.count;
  }

  std::uint32_t choose() {
    std::uint64_t total = 0;
    for (std::uint32_t a = 0; a < next_.size(); ++a)
      if (can_go_on(a)) total += speed_[a];
    if (total == 0) return kNone;
    std::uint64_t left = rng_.below(total);
    for (std::uint32_t a = 0;; ++a) {
      if (!can_go_on(a)) continue;
      if (left < speed_[a]) return a;
      left -= speed_[a];
    }
  }

  void advance(std::uint32_t a) {
    const std::uint32_t index = next_[a];
    const SyncOp& op = program_.ops[index];
    const bool is_word =
        op.target < words_.size() && program_.flags[op.target].order == FlagOrder::word;
    if (is_access(op)) memory_.perform(op, index);
    if (op.kind == SyncOpKind::signal)
      words_[op.target] = is_word ? op.count : words_[op.target] + op.count;
    if (op.kind == SyncOpKind::reset) words_[op.target] = 0;
    if (op.kind == SyncOpKind::wait && is_word && words_[op.target] != op.count)
      took_other_word_ = true;
    if (op.kind == SyncOpKind::barrier)
      meet(a, op.target);
    else
      ++next_[a];
  }

  void meet(std::uint32_t a, std::uint32_t barrier) {
    at_barrier_[a] = true;
    if (++arrived_[barrier] < program_.barriers[barrier].members) return;
    arrived_[barrier] = 0;
    for (std::uint32_t b = 0; b < next_.size(); ++b) {
      if (!at_barrier_[b] || program_.ops[next_[b]].target != barrier) continue;
      at_barrier_[b] = false;
      ++next_[b];
    }
  }

  const SyncProgram& program_;
  Rng& rng_;
  Memory memory_;
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> arrived_, next_;
  std::vector<std::uint64_t> speed_;
  std::vector<bool> at_barrier_;
  bool took_other_word_ = false;
};

// A random file.
class Writer {
 public:
  explicit Writer(Rng& rng) : rng_(rng) {}

  std::string write() {
    siblings_ = rng_.below(4) == 0;
    std::string text = fmt::format(
        R"({{"schema": "epsim.calls/1", "ranks": {}, "tags": ["t"], "memory": ["x"],
            "buffers": {{"moe": {{"handles": ["h"{}], "words": "{}"}}}}, "calls": [)",
        2 + rng_.below(2),
        siblings_ ? R"(, "i")" : "",
        kWordKindNames[rng_.below(3)]);
    const std::uint64_t count = 1 + rng_.below(5);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (i > 0) text += ", ";
      text += rng_.below(5) == 0 ? graph() : call(false);
    }
    return text + "]}";
  }

 private:
  std::string name() { return fmt::format("call {}", ++names_); }

  std::string graph() {
    const std::string graph = name();
    std::string body = call(true);
    for (std::uint64_t more = rng_.below(4); more > 0; --more) body += ", " + call(true);
    return fmt::format(R"({{"do": "capture", "graph": "{0}", "stream": "a", "calls": [{1}]}},
                          {{"do": "replay", "graph": "{0}", "stream": "{2}", "times": {3}}})",
                       graph,
                       body,
                       stream(false),
                       1 + rng_.below(3));
  }

  std::string stream(bool captured) { return captured || rng_.below(3) > 0 ? "a" : "b"; }

  std::string call(bool captured) {
    const std::string where =
        fmt::format(R"("name": "{}", "stream": "{}")", name(), stream(captured));
    const std::string handle = siblings_ && rng_.below(2) == 0 ? "i" : "h";
    const std::string shape = rng_.below(6) == 0 ? R"(, "tokens": 96)" : "";
    switch (rng_.below(8)) {
      case 0:
      case 1:
        return fmt::format(R"({{"do": "dispatch", "handle": "{}", {}{}}})", handle, where, shape);
      case 2:
        return fmt::format(R"({{"do": "combine", "handle": "{}", {}{}}})", handle, where, shape);
      case 3:
        sent_.push_back(fmt::format("call {}", names_));
        return fmt::format(
            R"({{"do": "dispatch", "phase": "send", "handle": "{}", {}{}}})", handle, where, shape);
      case 4: {
        if (sent_.empty()) break;
        const std::string of = sent_.front();
        sent_.erase(sent_.begin());
        return fmt::format(R"({{"do": "hook", "of": "{}", {}}})", of, where);
      }
      case 5: {
        const char* barrier = rng_.below(3) == 0 ? "none" : "both";
        return fmt::format(
            R"({{"do": "clean", "handle": "h", "barrier": "{}", {}{}}})", barrier, where, shape);
      }
      case 6: {
        const char* meetings = rng_.below(3) == 0 ? "counts" : "both";
        return fmt::format(
            R"({{"do": "exchange", "flush": true, "meetings": "{}", {}}})", meetings, where);
      }
      default:
        break;
    }
    return fmt::format(R"({{"do": "kernel", "{}": ["{}"], {}}})",
                       rng_.below(3) == 0 ? "writes" : "reads",
                       rng_.below(2) == 0 ? "x" : "t",
                       where);
  }

  Rng& rng_;
  bool siblings_ = false;
  std::uint64_t names_ = 0;
  std::vector<std::string> sent_;
};

}  // namespace

TEST_CASE("CallSequence: no order of a sequence without findings goes wrong") {
  constexpr int kSequences = 400;
  constexpr int kOrders = 20;
  int sound = 0;
  for (int s = 0; s < kSequences; ++s) {
    Rng rng(static_cast<std::uint64_t>(s));
    const std::string text = Writer(rng).write();
    CAPTURE(text);
    const CallSequence sequence = read_call_sequence(JsonDocument::parse(text, "random.json"));
    const SyncProgram program = build_call_program(sequence).program;
    if (!find_hazards(program, {}).findings.empty()) continue;
    ++sound;
    const Seen expected = intended(program);
    for (int order = 0; order < kOrders; ++order)
      CHECK(RandomRun(program, rng).run(expected) == "");
  }
  CHECK(sound > kSequences / 3);  // most would say little if few were free of hazards
}
