// Flags: what a signal publishes and what a wait learns in every schedule that ends it.
#include <algorithm>
#include <utility>

#include "sim/base/check.hpp"
#include "sim/hazards/causality.hpp"

namespace epsim {
// What a strong write publishes: its own past if it releases, else that of the fences before it.
Causality::Heads Causality::heads_of_signal(std::uint32_t agent, const SyncOp& op) const {
  const bool api = (op.traits & kApiEdge) != 0;
  const auto condition =
      static_cast<std::uint16_t>((op.traits & kConditional) != 0 ? op.condition + 1 : 0);
  Heads heads;
  if (api || releases(op.order) || assumptions_.any_strength) {
    heads.push_back({snapshot(agent), op.scope, agent, api, condition});
    return heads;
  }
  for (std::size_t s = 0; s < 4; ++s)
    if (agents_[agent].releases[s])
      heads.push_back({agents_[agent].releases[s], static_cast<Scope>(s), agent, false, condition});
  return heads;
}

void Causality::note_signaller(FlagState& flag, std::uint32_t agent, Scope scope) {
  const Place& place = program_.agents[agent].place;
  if (!flag.anywhere) flag.anywhere = place;
  flag.span = std::max(flag.span, span_of(*flag.anywhere, place));
  flag.least_scope = std::min(flag.least_scope, scope);
}

void Causality::signal(std::uint32_t agent, std::uint32_t index) {
  const SyncOp& op = program_.ops[index];
  FlagState& flag = flags_[op.target];
  if ((op.traits & kApiEdge) == 0) note_signaller(flag, agent, op.scope);
  Heads heads = heads_of_signal(agent, op);
  switch (program_.flags[op.target].order) {
    case FlagOrder::counter: {
      std::vector<Signal>& mine = flag.by_writer[agent];
      const std::uint64_t before = mine.empty() ? 0 : mine.back().reached;
      mine.push_back({agent, index, before + op.count, std::move(heads)});
      return;
    }
    case FlagOrder::progress:
      if (flag.steps.size() <= op.position) flag.steps.resize(op.position + 1);
      flag.steps[op.position] = std::move(heads);
      return;
    case FlagOrder::word:
      flag.words.push_back({agent, index, op.count, std::move(heads)});
      return;
  }
}

// Whether the value that a wait finds carries anything: writer and reader must be morally strong.
// A chain of updates is one only if all of them are.
bool Causality::is_observed(const FlagState& flag, std::uint32_t agent, const SyncOp& op) const {
  if (assumptions_.any_strength || !flag.anywhere || (op.traits & kApiEdge) != 0) return true;
  const Scope span = std::max(flag.span, span_of(*flag.anywhere, program_.agents[agent].place));
  const bool alone = flag.span == Scope::cta && span == Scope::cta;
  return alone || (flag.least_scope >= span && op.scope >= span);
}

void Causality::wait(std::uint32_t agent, std::uint32_t index) {
  const SyncOp& op = program_.ops[index];
  if ((op.traits & kConditional) != 0 && !assumptions_.platform_holds) return;
  FlagState& flag = flags_[op.target];
  switch (program_.flags[op.target].order) {
    case FlagOrder::counter:
      if (is_observed(flag, agent, op)) wait_counter(agent, op, flag);
      return;
    case FlagOrder::progress:
      if (is_observed(flag, agent, op)) wait_progress(agent, op, flag);
      return;
    case FlagOrder::word:
      return wait_word(agent, index, flag);
  }
}

// Whoever added, the count cannot be reached without so much of each writer: that much, and no
// more, happened before in every schedule.
void Causality::wait_counter(std::uint32_t agent, const SyncOp& op, FlagState& flag) {
  const FlagShares& shares = schedule_.shares[op.target][flag.resets];
  const bool all_api = (op.traits & kApiEdge) != 0 && op.count == shares.total;
  if (all_api && flag.complete) return join_api(agent, *flag.complete);
  std::vector<std::shared_ptr<const Snapshot>> api;
  for (const auto& [writer, signals] : flag.by_writer) {
    const auto share = shares.by_writer.find(writer);
    check(share != shares.by_writer.end(), "every signal has been scheduled");
    const std::uint64_t others = shares.total - share->second;
    if (op.count <= others) continue;
    auto last = std::lower_bound(
        signals.begin(),
        signals.end(),
        op.count - others,
        [](const Signal& signal, std::uint64_t needed) { return signal.reached < needed; });
    check(last != signals.end(), "a wait ends when its count is reached");
    if (all_api && last->heads.size() == 1 && last->heads.front().api &&
        last->heads.front().condition == 0) {
      api.push_back(last->heads.front().snapshot);
      continue;
    }
    // A later release of one writer covers its earlier ones; a relaxed update does not.
    for (auto at = last;; --at) {
      join_heads(agent, op, at->heads);
      if (at == signals.begin() || releases(program_.ops[at->op].order)) break;
    }
  }
  if (api.empty()) return;
  const bool whole = api.size() == shares.by_writer.size();
  const std::shared_ptr<const Snapshot> all = union_of(api);
  join_api(agent, *all);
  if (whole) flag.complete = all;
}

void Causality::wait_progress(std::uint32_t agent, const SyncOp& op, const FlagState& flag) {
  std::uint32_t first = 0;
  if (acquires(op.order) || (op.traits & kApiEdge) != 0) {
    std::uint32_t& joined = joined_[pair_key(agent, op.target)];
    first = joined;
    joined = std::max(joined, op.count);
  }
  check(flag.steps.size() >= op.count, "a wait ends when its steps are done");
  for (std::uint32_t p = first; p < op.count; ++p) join_heads(agent, op, flag.steps[p]);
}

void Causality::wait_word(std::uint32_t agent, std::uint32_t index, const FlagState& flag) {
  const SyncOp& op = program_.ops[index];
  const auto observed = schedule_.observed.find(index);
  if (observed == schedule_.observed.end() || observed->second == kNone) return;
  auto at = std::find_if(flag.words.begin(), flag.words.end(), [&](const Signal& signal) {
    return signal.op == observed->second;
  });
  // The signal that was seen; before it the same writer's, and through an update every other's.
  bool chained = true;
  const std::uint32_t writer = at == flag.words.end() ? kNone : at->agent;
  for (; at != flag.words.end(); --at) {
    const SyncOp& signal = program_.ops[at->op];
    const Scope span = span_of(program_.agents[at->agent].place, program_.agents[agent].place);
    const bool strong = assumptions_.any_strength || (signal.traits & kApiEdge) != 0 ||
                        (signal.scope >= span && op.scope >= span);
    if (chained && !strong) return;
    if (chained || at->agent == writer) join_heads(agent, op, at->heads);
    chained = chained && (signal.traits & kStore) == 0;
    if (at == flag.words.begin()) return;
  }
}

}  // namespace epsim
