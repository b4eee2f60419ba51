#include "sim/hazards/causality.hpp"

#include <algorithm>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr std::array kSpaces = {MemorySpace::global, MemorySpace::shared};

bool covers(MemorySpace fence, MemorySpace space) {
  return fence == MemorySpace::both || fence == space;
}

}  // namespace

Scope span_of(const Place& a, const Place& b) {
  if (a.gpu != b.gpu) return Scope::sys;
  if (a.cta == b.cta) return Scope::cta;
  return a.cluster == b.cluster ? Scope::cluster : Scope::gpu;
}

Causality::Causality(const SyncProgram& program,
                     const Schedule& schedule,
                     const Assumptions& assumptions)
    : program_(program),
      schedule_(schedule),
      assumptions_(assumptions),
      agents_(program.agents.size()),
      flags_(program.flags.size()),
      barriers_(program.barriers.size()),
      engines_(program.engine_ops.size()) {
  auto axis = static_cast<std::uint32_t>(program.agents.size());
  // By issuer and flag; looked up, never walked through.
  std::unordered_map<std::uint64_t, std::uint32_t> landing;
  for (std::uint32_t a = 0; a < agents_.size(); ++a) {
    std::uint32_t stores = 0;
    std::uint32_t store_axes = kNone;
    for (const SyncOp& op : program.ops_of(program.agents[a])) {
      if (op.kind != SyncOpKind::issue) continue;
      const EngineOp& engine = program.engine_ops[op.target];
      EngineAxes& axes = engines_[op.target];
      if (engine.landed == kNone) {
        if (store_axes == kNone) store_axes = std::exchange(axis, axis + 2);
        axes = {store_axes, store_axes + 1, ++stores};
      } else if (program.flags[engine.landed].order == FlagOrder::progress) {
        const auto [at, fresh] = landing.try_emplace(pair_key(a, engine.landed), axis);
        if (fresh) ++axis;
        axes = {at->second, at->second, engine.position + 1};
      } else {
        axes = {axis, axis, 1};
        ++axis;
      }
    }
  }
}

void Causality::perform(const Step& step) {
  const SyncOp& op = program_.ops[step.op];
  agents_[step.agent].index = step.op + 1;
  switch (op.kind) {
    case SyncOpKind::signal:
      return signal(step.agent, step.op);
    case SyncOpKind::wait:
      return wait(step.agent, step.op);
    case SyncOpKind::reset: {
      FlagState fresh;
      fresh.resets = flags_[op.target].resets + 1;
      flags_[op.target] = std::move(fresh);
      return;
    }
    case SyncOpKind::fence:
      return fence(step.agent, op);
    case SyncOpKind::proxy_fence:
      return proxy_fence(step.agent, step.op);
    case SyncOpKind::barrier:
    case SyncOpKind::arrive:
      return meet(step, barriers_[op.target]);
    case SyncOpKind::collective:
      return meet(step, communicators_[op.target]);
    case SyncOpKind::issue:
      return issue(step.agent, step.op);
    case SyncOpKind::wait_group:
      return wait_group(step.agent, op);
    case SyncOpKind::read:
    case SyncOpKind::write:
    case SyncOpKind::end_life:
      return;
  }
}

std::shared_ptr<const Causality::Snapshot> Causality::snapshot(std::uint32_t agent) const {
  const AgentState& state = agents_[agent];
  return std::make_shared<const Snapshot>(
      Snapshot{state.clock, {agent, state.index}, state.beyond});
}

std::shared_ptr<const Causality::Snapshot> Causality::union_of(
    const std::vector<std::shared_ptr<const Snapshot>>& snapshots) const {
  std::vector<const CausalClock*> clocks;
  std::vector<ClockEntry> own;
  std::array<std::vector<const CausalClock*>, 2> beyond;
  for (const auto& snapshot : snapshots) {
    clocks.push_back(&snapshot->clock);
    if (snapshot->own.index > 0) own.push_back(snapshot->own);
    for (std::size_t s = 0; s < 2; ++s) beyond[s].push_back(&snapshot->beyond[s]);
  }
  Snapshot all{CausalClock::join_all(clocks, std::move(own)), {}, {}};
  for (std::size_t s = 0; s < 2; ++s) all.beyond[s] = CausalClock::join_all(beyond[s], {});
  return std::make_shared<const Snapshot>(std::move(all));
}

bool Causality::reaches(Scope scope, std::uint32_t from, std::uint32_t to) const {
  return assumptions_.any_strength || from == to ||
         scope >= span_of(program_.agents[from].place, program_.agents[to].place);
}

void Causality::join(std::uint32_t agent, const Snapshot& other) {
  AgentState& state = agents_[agent];
  state.clock.join(other.clock);
  state.clock.add(other.own);
  for (std::size_t s = 0; s < 2; ++s) state.beyond[s].join(other.beyond[s]);
}

// Everything that happened before the edge has happened for every proxy.
void Causality::join_api(std::uint32_t agent, const Snapshot& other) {
  join(agent, other);
  for (CausalClock& beyond : agents_[agent].beyond) {
    beyond.join(other.clock);
    beyond.add(other.own);
  }
}

void Causality::join_heads(std::uint32_t agent, const SyncOp& op, const Heads& heads) {
  const bool api = (op.traits & kApiEdge) != 0;
  const bool now = api || acquires(op.order) || assumptions_.any_strength;
  for (const Head& head : heads) {
    if (head.condition > 0 && !assumptions_.platform_holds) continue;
    if (api && head.api)
      join_api(agent, *head.snapshot);
    else if (!now)
      agents_[agent].pending.push_back(head);
    else if ((api || reaches(op.scope, agent, head.agent)) &&
             (head.api || reaches(head.scope, head.agent, agent)))
      join(agent, *head.snapshot);
  }
}

void Causality::fence(std::uint32_t agent, const SyncOp& op) {
  AgentState& state = agents_[agent];
  if (acquires(op.order) || op.order == Order::relaxed) {
    const Heads pending = state.pending;
    for (const Head& head : pending)
      if (reaches(op.scope, agent, head.agent) && reaches(head.scope, head.agent, agent))
        join(agent, *head.snapshot);
  }
  if (releases(op.order) || op.order == Order::relaxed)
    state.releases[static_cast<std::size_t>(op.scope)] = snapshot(agent);
}

void Causality::proxy_fence(std::uint32_t agent, std::uint32_t index) {
  const SyncOp& op = program_.ops[index];
  AgentState& state = agents_[agent];
  if (assumptions_.proxies == ProxyRule::lenient) {
    for (std::size_t s = 0; s < 2; ++s) {
      if (!covers(op.space, kSpaces[s])) continue;
      state.beyond[s].join(state.clock);
      state.beyond[s].add({agent, state.index});
    }
    return;
  }
  std::vector<FenceLog>& logs = fences_[program_.agents[agent].place.cta];
  auto log = std::find_if(logs.begin(), logs.end(), [&](const FenceLog& entry) {
    return entry.agent == agent && entry.proxy == op.proxy;
  });
  if (log == logs.end()) log = logs.insert(logs.end(), FenceLog{agent, op.proxy, {}});
  const std::shared_ptr<const Snapshot> known = snapshot(agent);
  for (std::size_t s = 0; s < 2; ++s)
    if (covers(op.space, kSpaces[s])) log->by_space[s].push_back({index, op.order, known});
}

void Causality::issue(std::uint32_t agent, std::uint32_t index) {
  const std::uint32_t id = program_.ops[index].target;
  const EngineOp& engine = program_.engine_ops[id];
  const EngineAxes& axes = engines_[id];
  if (engine.landed == kNone) {
    agents_[agent].issued_stores = axes.index;
    return;
  }
  // A completion releases at cluster scope what the copy itself did, and nothing before it.
  Heads heads;
  heads.push_back({std::make_shared<const Snapshot>(Snapshot{{}, {axes.read_axis, axes.index}, {}}),
                   Scope::cluster,
                   agent,
                   false,
                   0});
  FlagState& flag = flags_[engine.landed];
  note_signaller(flag, agent, Scope::cluster);
  if (program_.flags[engine.landed].order == FlagOrder::progress) {
    if (flag.steps.size() <= engine.position) flag.steps.resize(engine.position + 1);
    Heads& step = flag.steps[engine.position];
    step.insert(step.end(), heads.begin(), heads.end());
    return;
  }
  const auto writer = static_cast<std::uint32_t>(agents_.size()) + id;
  flag.by_writer[writer].push_back({agent, index, 1, std::move(heads)});
}

void Causality::wait_group(std::uint32_t agent, const SyncOp& op) {
  AgentState& state = agents_[agent];
  if (state.issued_stores <= op.count) return;
  const std::uint32_t done = state.issued_stores - op.count;
  for (const SyncOp& issued : program_.ops_of(program_.agents[agent])) {
    if (issued.kind != SyncOpKind::issue) continue;
    if (program_.engine_ops[issued.target].landed != kNone) continue;
    const EngineAxes& axes = engines_[issued.target];
    state.clock.add({axes.read_axis, done});
    if ((op.traits & kReadOnly) == 0) state.clock.add({axes.write_axis, done});
    return;
  }
}

void Causality::meet(const Step& step, BarrierState& barrier) {
  if (step.part == StepPart::arrive) {
    barrier.arrived.emplace_back(step.agent, snapshot(step.agent));
    return;
  }
  const bool collective = program_.ops[step.op].kind == SyncOpKind::collective;
  if (!barrier.open || !collective || barrier.meeting != step.meeting || !barrier.arrived.empty()) {
    // The first to leave: whoever arrived for this meeting is joined, the others still wait.
    std::vector<std::shared_ptr<const Snapshot>> met;
    const auto is_here = [&](std::uint32_t agent) {
      if (!collective) return true;
      const auto& members = schedule_.meetings[step.meeting];
      return std::find(members.begin(), members.end(), agent) != members.end();
    };
    const auto waiting = std::partition(barrier.arrived.begin(),
                                        barrier.arrived.end(),
                                        [&](const auto& entry) { return !is_here(entry.first); });
    for (auto at = waiting; at != barrier.arrived.end(); ++at) met.push_back(at->second);
    barrier.arrived.erase(waiting, barrier.arrived.end());
    if (!met.empty()) barrier.open = union_of(met);
    barrier.meeting = step.meeting;
  }
  AgentState& state = agents_[step.agent];
  state.clock = barrier.open->clock;
  state.beyond = barrier.open->beyond;
}

}  // namespace epsim
