#include "sim/litmus/litmus_executions.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace epsim {

LitmusExecutions::LitmusExecutions(const LitmusTest& test,
                                   LitmusModel model,
                                   const std::vector<const LitmusRun*>& runs)
    : test_(test), model_(model), runs_(runs), frame_(test, runs), coherence_(frame_, model) {
  reads_from_.assign(frame_.events.size(), kNobody);
  in_memory_.resize(test.initial.size());
  for (std::uint32_t i = 0; i < frame_.events.size(); ++i)
    for (std::uint32_t j = i + 1; j < frame_.events.size(); ++j)
      if (frame_.events[i].is_sc && frame_.events[j].is_sc && frame_.morally_strong.has(i, j))
        fence_pairs_.push_back({i, j});
}

bool LitmusExecutions::find(LitmusVerdict& verdict) {
  verdict_ = &verdict;
  const Truth truth = question();
  if (truth == Truth::no) return false;
  if (truth == Truth::unknown) collect_storages(test_.question, storages_);
  auto meetings = litmus_meetings(test_, frame_.events);
  if (!meetings || !collect_choices()) return false;
  for (LitmusMeeting& meeting : *meetings) {
    if (meeting.openers == meeting.arrivals.size())
      add_meeting_edges(test_, frame_.events, meeting, meeting.arrivals, sure_edges_);
    else
      meetings_.push_back(std::move(meeting));
  }
  return choose_write(0, frame_.influence);
}

// False if some read has no write to read from.
bool LitmusExecutions::collect_choices() {
  for (const std::uint32_t read : frame_.reads) {
    const LitmusEvent& event = frame_.events[read];
    ReadChoices choices{read, {}};
    for (const std::uint32_t write : frame_.writes)
      if (frame_.events[write].storage == event.storage &&
          frame_.events[write].value == event.value && write != frame_.partner[read])
        choices.writes.push_back(write);
    if (choices.writes.empty()) return false;
    choices_.push_back(std::move(choices));
  }
  // Those without a choice first: what they order cuts off most.
  std::stable_sort(choices_.begin(), choices_.end(), [](const auto& a, const auto& b) {
    return a.writes.size() < b.writes.size();
  });
  return true;
}

// `hangs_on` is what each value needs, closed: no value may need itself.
bool LitmusExecutions::choose_write(std::size_t next, const BitMatrix& hangs_on) {
  if (next == choices_.size()) return choose_openers(0, sure_edges_);
  const ReadChoices& choices = choices_[next];
  const bool is_last = next + 1 == choices_.size();
  const bool is_first_choice =
      choices.writes.size() > 1 && (next == 0 || choices_[next - 1].writes.size() == 1);
  if (is_first_choice && next > 0 && !is_possible()) return false;
  for (const std::uint32_t write : choices.writes) {
    if (hangs_on.has(choices.read, write)) continue;
    reads_from_[choices.read] = write;
    if (choices.writes.size() > 1 && !is_last && !is_possible()) continue;
    BitMatrix needs = hangs_on;
    needs.add_closed(write, choices.read);
    if (choose_write(next + 1, needs)) return true;
  }
  reads_from_[choices.read] = kNobody;
  return false;
}

// Whether what is chosen so far is not forbidden yet. More choices only order more.
bool LitmusExecutions::is_possible() {
  std::vector<LitmusEdge> edges = synchronizing_edges(frame_, reads_from_);
  edges.insert(edges.end(), sure_edges_.begin(), sure_edges_.end());
  const BitMatrix paths = litmus_paths(frame_, edges);
  return coherence_.is_possible(reads_from_,
                                litmus_causality(frame_, model_, reads_from_, edges, paths));
}

bool LitmusExecutions::choose_openers(std::size_t next, std::vector<LitmusEdge> edges) {
  if (next < meetings_.size()) {
    std::vector<std::uint32_t> openers;
    return choose_subset(next, 0, openers, edges);
  }
  const std::vector<LitmusEdge> synchronizing = synchronizing_edges(frame_, reads_from_);
  edges.insert(edges.end(), synchronizing.begin(), synchronizing.end());
  const BitMatrix paths = litmus_paths(frame_, edges);
  return order_fences(edges, paths);
}

bool LitmusExecutions::choose_subset(std::size_t meeting,
                                     std::size_t next,
                                     std::vector<std::uint32_t>& openers,
                                     const std::vector<LitmusEdge>& edges) {
  const LitmusMeeting& chosen = meetings_[meeting];
  if (openers.size() == chosen.openers) {
    std::vector<LitmusEdge> more = edges;
    add_meeting_edges(test_, frame_.events, chosen, openers, more);
    return choose_openers(meeting + 1, std::move(more));
  }
  for (std::size_t i = next; i < chosen.arrivals.size(); ++i) {
    openers.push_back(chosen.arrivals[i]);
    if (choose_subset(meeting, i + 1, openers, edges)) return true;
    openers.pop_back();
  }
  return false;
}

// Each morally strong pair of fence.sc is ordered. Where a path leads from one to the other, the
// pair goes along: any other order only adds to what is ordered. Elsewhere both are tried.
bool LitmusExecutions::order_fences(const std::vector<LitmusEdge>& edges, const BitMatrix& paths) {
  const auto leads = [&](std::uint32_t from, std::uint32_t to) {
    return paths.has(from, frame_.entry[to]);
  };
  for (const LitmusEdge& pair : fence_pairs_) {
    if (leads(pair.from, pair.to) || leads(pair.to, pair.from)) continue;
    for (const LitmusEdge& edge : {pair, LitmusEdge{pair.to, pair.from}}) {
      std::vector<LitmusEdge> more = edges;
      more.push_back(edge);
      BitMatrix longer = paths;
      longer.add_closed(edge.from, frame_.entry[edge.to]);
      if (order_fences(more, longer)) return true;
    }
    return false;
  }
  std::vector<LitmusEdge> all = edges;
  for (const LitmusEdge& pair : fence_pairs_)
    all.push_back(leads(pair.from, pair.to) ? pair : LitmusEdge{pair.to, pair.from});
  return judge(std::move(all), paths);
}

bool LitmusExecutions::judge(std::vector<LitmusEdge> edges, const BitMatrix& paths) {
  ++verdict_->executions;
  const BitMatrix cause = litmus_causality(frame_, model_, reads_from_, edges, paths);
  return coherence_.meets(
      reads_from_, cause, [&](const BitMatrix& coherence) { return ends_as_asked(coherence); });
}

bool LitmusExecutions::ends_as_asked(const BitMatrix& coherence) {
  const bool is_so = storages_.empty() ? question() == Truth::yes : choose_memory(coherence, 0);
  if (is_so) write_witness();
  return is_so;
}

// Memory ends with any write that nothing overwrites.
bool LitmusExecutions::choose_memory(const BitMatrix& coherence, std::size_t next) {
  if (next == storages_.size()) return question() == Truth::yes;
  const std::uint32_t storage = storages_[next];
  for (const std::uint32_t write : frame_.writes) {
    if (frame_.events[write].storage != storage) continue;
    if (intersects(coherence.row(write), coherence.row(write))) continue;
    in_memory_[storage] = frame_.events[write].value;
    if (choose_memory(coherence, next + 1)) return true;
  }
  in_memory_[storage].reset();
  return false;
}

Truth LitmusExecutions::question() const {
  return evaluate(test_.question, [&](const LitmusLeaf& leaf) -> std::optional<std::int64_t> {
    if (leaf.kind == LitmusLeaf::Kind::immediate) return leaf.value;
    if (leaf.kind == LitmusLeaf::Kind::in_memory) return in_memory_[leaf.index];
    return runs_[leaf.thread]->registers[leaf.index];
  });
}

void LitmusExecutions::write_witness() {
  const auto place = [&](std::uint32_t index) {
    const LitmusEvent& event = frame_.events[index];
    if (event.thread == kNoThread) return std::string("its start");
    return fmt::format("{} op {}", test_.threads[event.thread].name, event.op);
  };
  for (const std::uint32_t read : frame_.reads) {
    const LitmusEvent& event = frame_.events[read];
    const LitmusOp& op = test_.threads[event.thread].ops[event.op];
    verdict_->witness.push_back(fmt::format("{} reads {} from {}: {}",
                                            place(read),
                                            test_.locations[op.location].name,
                                            place(reads_from_[read]),
                                            event.value));
  }
  for (const std::uint32_t storage : storages_)
    verdict_->witness.push_back(fmt::format(
        "memory ends with {} = {}", test_.storage_names[storage], *in_memory_[storage]));
}

}  // namespace epsim
