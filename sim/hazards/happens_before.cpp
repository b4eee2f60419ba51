#include "sim/hazards/happens_before.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "sim/hazards/conflicts.hpp"
#include "sim/hazards/finding_words.hpp"
#include "sim/hazards/order_graph.hpp"

namespace epsim {
namespace {

// How late an adversary makes the earlier operation.
constexpr Duration kAdverseDelay =
    std::chrono::duration_cast<Duration>(std::chrono::microseconds(20));

// Racing words can be seen in so many ways before only one race at a time is tried.
constexpr std::size_t kMostSchedules = 64;

using ConflictKey = std::tuple<HazardKind, std::uint32_t, std::uint32_t, std::uint32_t>;

ConflictKey key_of(const Conflict& conflict) {
  return {conflict.kind, conflict.first_op, conflict.second_op, conflict.subject};
}

// Of those that some assumption may settle: no order makes a non-coherent load coherent.
std::vector<ConflictKey> keys_of(const Conflicts& conflicts) {
  std::vector<ConflictKey> keys;
  keys.reserve(conflicts.all.size());
  for (const Conflict& conflict : conflicts.all)
    if (conflict.kind != HazardKind::non_coherent_read) keys.push_back(key_of(conflict));
  std::sort(keys.begin(), keys.end());
  return keys;
}

// Each weaker assumption, and what a conflict that it settles was caused by.
struct Weaker {
  Cause cause;
  Assumptions assumptions;
};

std::vector<Weaker> weaker_assumptions(bool lenient) {
  std::vector<Weaker> weaker;
  const ProxyRule given = lenient ? ProxyRule::lenient : ProxyRule::strict;
  weaker.push_back({Cause::platform, {given, true, false}});
  if (!lenient) weaker.push_back({Cause::fence_place, {ProxyRule::lenient, true, false}});
  weaker.push_back({Cause::proxy, {ProxyRule::ignored, true, false}});
  weaker.push_back({Cause::strength, {ProxyRule::ignored, true, true}});
  return weaker;
}

// Memory that a stream gives back goes to a pool. That another use is not over yet breaks the
// pool's rule and nothing else: whoever takes the memory is looked at as any other writer is.
bool breaks_pool_rule(const SyncProgram& program, const Conflict& conflict) {
  return conflict.kind == HazardKind::use_after_end &&
         program.ops[conflict.second_op].kind == SyncOpKind::end_life &&
         program.agents[conflict.second_agent].kind == AgentKind::stream;
}

// A flush is about writes that come in: that a wait saw its flag orders reads and flags without.
bool needs_no_flush(const Conflict& conflict) {
  return conflict.kind != HazardKind::stale_read &&
         conflict.kind != HazardKind::overwritten_write &&
         conflict.kind != HazardKind::non_coherent_read;
}

Verdict verdict_of(const Conflict& conflict, Cause cause) {
  if (conflict.kind == HazardKind::non_coherent_read) return Verdict::formal;
  switch (cause) {
    case Cause::platform:
      return Verdict::platform;
    case Cause::fence_place:
    case Cause::proxy:
    case Cause::strength:
      return Verdict::formal;
    case Cause::order:
      return Verdict::error;
  }
  return Verdict::error;
}

Basis basis_of(const Conflict& conflict, Cause cause) {
  if (conflict.kind == HazardKind::non_coherent_read) return Basis::outside_model;
  if (cause == Cause::platform) return Basis::platform_dependent;
  if (cause == Cause::proxy || cause == Cause::fence_place) return Basis::by_analogy;
  return Basis::forbidden_by_text;
}

bool is_access(HazardKind kind) {
  return kind == HazardKind::stale_read || kind == HazardKind::overwritten_read ||
         kind == HazardKind::overwritten_write || kind == HazardKind::non_coherent_read ||
         kind == HazardKind::use_after_end;
}

Finding finding_of(HazardKind kind, Verdict verdict, Basis basis) {
  Finding finding;
  finding.kind = kind;
  finding.verdict = verdict;
  finding.basis = basis;
  return finding;
}

class Reporter {
 public:
  Reporter(const SyncProgram& program, const CheckOptions& options)
      : program_(program),
        options_(options),
        schedules_(make_schedules(program, kMostSchedules)),
        schedule_(schedules_.front()) {
    report_.name = program.name;
    report_.operations = program.ops.size();
    report_.lenient = options.lenient;
  }

  HazardReport run() {
    const Assumptions given{
        options_.lenient ? ProxyRule::lenient : ProxyRule::strict, false, false};
    const Conflicts conflicts = conflicts_under(given);
    report_.accesses = conflicts.compared;
    report_.schedules = static_cast<std::uint32_t>(schedules_.size());
    if (!conflicts.all.empty()) explain(conflicts);
    add_mismatches();
    add_deadlocks();
    std::stable_sort(report_.findings.begin(),
                     report_.findings.end(),
                     [](const Finding& a, const Finding& b) { return a.verdict > b.verdict; });
    return std::move(report_);
  }

 private:
  void explain(const Conflicts& conflicts) {
    const std::vector<Weaker> weaker = weaker_assumptions(options_.lenient);
    std::vector<std::vector<ConflictKey>> left;
    bool open = !keys_of(conflicts).empty();
    for (const Weaker& step : weaker) {
      if (!open) break;
      left.push_back(keys_of(conflicts_under(step.assumptions)));
      open = !left.back().empty();
    }
    graph_.emplace(program_, schedule_);
    for (const Conflict& conflict : conflicts.all) {
      Cause cause = Cause::order;
      for (std::size_t w = 0; w < left.size(); ++w)
        if (!std::binary_search(left[w].begin(), left[w].end(), key_of(conflict))) {
          cause = weaker[w].cause;
          break;
        }
      if (cause != Cause::platform || !needs_no_flush(conflict)) add(conflict, cause);
    }
  }

  // Of all schedules, each once.
  [[nodiscard]] Conflicts conflicts_under(const Assumptions& assumptions) const {
    Conflicts all = find_conflicts(program_, schedule_, assumptions);
    if (schedules_.size() == 1) return all;
    std::set<ConflictKey> seen;
    for (const Conflict& conflict : all.all) seen.insert(key_of(conflict));
    for (std::size_t s = 1; s < schedules_.size(); ++s) {
      const Conflicts more = find_conflicts(program_, schedules_[s], assumptions);
      if (more.impossible) continue;
      all.compared += more.compared;
      for (const Conflict& conflict : more.all)
        if (seen.insert(key_of(conflict)).second) all.all.push_back(conflict);
    }
    return all;
  }

  [[nodiscard]] std::uint64_t site(std::uint32_t agent, std::uint32_t op) const {
    return program_.names.site ? program_.names.site(agent, op) : op;
  }

  void add(const Conflict& conflict, Cause cause) {
    const auto key = std::tuple{conflict.kind,
                                cause,
                                site(conflict.first_agent, conflict.first_op),
                                site(conflict.second_agent, conflict.second_op)};
    const auto [at, fresh] = by_site_.try_emplace(key, report_.findings.size());
    if (!fresh) {
      if (at->second < report_.findings.size()) ++report_.findings[at->second].instances;
      return;
    }
    if (report_.findings.size() >= options_.most_findings) {
      at->second = options_.most_findings;
      return;
    }
    Finding finding =
        finding_of(conflict.kind, verdict_of(conflict, cause), basis_of(conflict, cause));
    if (breaks_pool_rule(program_, conflict)) {
      finding.verdict = std::min(finding.verdict, Verdict::formal);
      finding.basis = Basis::by_analogy;
    }
    finding.first = at_operation(conflict.first_agent, conflict.first_op);
    finding.second = at_operation(conflict.second_agent, conflict.second_op);
    finding.location = subject(conflict);
    if (cause != Cause::order || conflict.kind == HazardKind::non_coherent_read)
      finding.path = path(conflict);
    const FindingWords words = finding_words(program_, conflict, cause, condition(conflict));
    finding.missing = words.missing;
    finding.closes = words.closes;
    add_gaps(finding);
    report_.findings.push_back(std::move(finding));
  }

  [[nodiscard]] OperationAt at_operation(std::uint32_t agent, std::uint32_t op) const {
    return {agent, op, operation_text(program_, agent, op)};
  }

  [[nodiscard]] std::string subject(const Conflict& conflict) const {
    if (conflict.kind == HazardKind::call_order) return fmt::format("barrier {}", conflict.subject);
    const auto& name = is_access(conflict.kind)                        ? program_.names.location
                       : conflict.kind == HazardKind::collective_order ? program_.names.communicator
                                                                       : program_.names.flag;
    return name ? name(conflict.subject) : fmt::format("{}", conflict.subject);
  }

  [[nodiscard]] std::vector<OrderGraph::Stop> stops(const Conflict& conflict) const {
    return graph_->path({conflict.first_agent, conflict.first_op},
                        {conflict.second_agent, conflict.second_op},
                        conflict.first_by_engine);
  }

  [[nodiscard]] std::vector<std::string> path(const Conflict& conflict) const {
    std::vector<std::string> lines;
    for (const OrderGraph::Stop& stop : stops(conflict))
      lines.push_back(operation_text(program_, stop.agent, stop.op));
    return lines;
  }

  // The first conditional edge on the way.
  [[nodiscard]] const PlatformCondition* condition(const Conflict& conflict) const {
    for (const OrderGraph::Stop& stop : stops(conflict)) {
      const SyncOp& op = program_.ops[stop.op];
      if ((op.traits & kConditional) != 0) return &program_.conditions[op.condition];
    }
    return nullptr;
  }

  // The start of the second less the end of the first, as given and with the first late.
  void add_gaps(Finding& finding) const {
    if (schedule_.end.empty() || !is_access(finding.kind)) return;
    const auto gap = [&](const Schedule& schedule) {
      return to_us(schedule.start[finding.second.op] - schedule.end[finding.first.op]);
    };
    finding.gap_us = gap(schedule_);
    const Schedule late = make_schedule(program_, {finding.first.op, kAdverseDelay});
    finding.least_gap_us = std::min(*finding.gap_us, gap(late));
  }

  void add_mismatches() {
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    for (const CollectiveMismatch& mismatch : schedule_.mismatches) {
      if (!seen.emplace(mismatch.first_op, mismatch.second_op).second) continue;
      Finding finding =
          finding_of(HazardKind::collective_order, Verdict::error, Basis::forbidden_by_text);
      finding.first = at_operation(mismatch.first_agent, mismatch.first_op);
      finding.second = at_operation(mismatch.second_agent, mismatch.second_op);
      const std::uint32_t communicator = program_.ops[mismatch.first_op].target;
      finding.location = program_.names.communicator ? program_.names.communicator(communicator)
                                                     : fmt::format("{}", communicator);
      finding.missing = "the ranks meet in different collectives of one communicator";
      finding.closes =
          "the same order of collectives on every rank: one communicator for each "
          "micro-batch, or one thread that enqueues them in turn";
      report_.findings.push_back(std::move(finding));
    }
  }

  // Of the agents that never end, those whose flag nobody is left to raise; all, if they wait for
  // one another.
  void add_deadlocks() {
    std::set<std::pair<SyncOpKind, std::uint32_t>> raised;  // by operations that never ran
    for (const Step& stuck : schedule_.stuck) {
      const SyncAgent& agent = program_.agents[stuck.agent];
      for (std::uint32_t op = stuck.op + 1; op < agent.first_op + agent.op_count; ++op)
        raised.emplace(program_.ops[op].kind, program_.ops[op].target);
    }
    std::vector<Step> roots;
    for (const Step& stuck : schedule_.stuck) {
      const SyncOp& op = program_.ops[stuck.op];
      const bool hoped = op.kind == SyncOpKind::wait
                             ? raised.contains({SyncOpKind::signal, op.target})
                             : raised.contains({op.kind, op.target});
      if (!hoped) roots.push_back(stuck);
    }
    if (roots.empty()) roots = schedule_.stuck;
    std::set<std::uint64_t> sites;
    for (const Step& stuck : roots) {
      if (!sites.insert(site(stuck.agent, stuck.op)).second) continue;
      if (sites.size() > 8) return;
      const SyncOp& op = program_.ops[stuck.op];
      Finding finding = finding_of(HazardKind::deadlock, Verdict::error, Basis::forbidden_by_text);
      finding.first = finding.second = at_operation(stuck.agent, stuck.op);
      finding.location = op.kind == SyncOpKind::wait && program_.names.flag
                             ? program_.names.flag(op.target)
                             : fmt::format("{}", op.target);
      finding.missing = op.kind == SyncOpKind::wait ? "nobody raises the flag to what is waited for"
                                                    : "not every member arrives";
      finding.closes = "the signal that is missing, or the order in which it would come first";
      report_.findings.push_back(std::move(finding));
    }
  }

  const SyncProgram& program_;
  const CheckOptions& options_;
  std::vector<Schedule> schedules_;
  const Schedule& schedule_;  // the first
  std::optional<OrderGraph> graph_;
  std::map<std::tuple<HazardKind, Cause, std::uint64_t, std::uint64_t>, std::size_t> by_site_;
  HazardReport report_;
};

}  // namespace

HazardReport find_hazards(const SyncProgram& program, const CheckOptions& options) {
  return Reporter(program, options).run();
}

std::vector<std::string> happens_before_path(const SyncProgram& program,
                                             std::uint32_t first,
                                             std::uint32_t second) {
  const Schedule schedule = make_schedule(program);
  Causality causality(program, schedule, {});
  const auto agent_of = [&](std::uint32_t op) {
    const auto at =
        std::find_if(program.agents.begin(), program.agents.end(), [&](const SyncAgent& agent) {
          return op >= agent.first_op && op < agent.first_op + agent.op_count;
        });
    return static_cast<std::uint32_t>(at - program.agents.begin());
  };
  const std::uint32_t from = agent_of(first);
  const std::uint32_t to = agent_of(second);
  const bool by_engine = program.ops[first].kind == SyncOpKind::issue;
  bool known = false;
  for (const Step& step : schedule.steps) {
    causality.perform(step);
    if (step.op == second && step.part != StepPart::arrive) {
      known = causality.knows(
          to, by_engine ? causality.engine_write(from, first) : causality.access_of(from, first));
      break;
    }
  }
  std::vector<std::string> lines;
  if (!known) return lines;
  const OrderGraph graph(program, schedule);
  for (const OrderGraph::Stop& stop : graph.path({from, first}, {to, second}, by_engine))
    lines.push_back(operation_text(program, stop.agent, stop.op));
  return lines;
}

}  // namespace epsim
