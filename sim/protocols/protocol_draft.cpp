#include "sim/protocols/protocol_draft.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace epsim {

void ProtocolDraft::stand_at(const JsonValue& value) {
  const auto [row, is_new] =
      sources_.emplace(value.place(), static_cast<std::uint32_t>(pointers.size()));
  if (is_new) pointers.push_back(value.place());
  source_ = row->second;
}

std::uint32_t ProtocolDraft::add_agent(std::string name, AgentKind kind, const Place& place) {
  agents.push_back({std::move(name), kind, place, {}, {}, {}});
  return static_cast<std::uint32_t>(agents.size() - 1);
}

OpAt ProtocolDraft::emit(std::uint32_t agent, SyncOp op, std::string text) {
  DraftAgent& draft = agents[agent];
  op.source = source_;
  draft.ops.push_back(op);
  draft.texts.push_back(std::move(text));
  draft.takes.emplace_back();
  return {agent, static_cast<std::uint32_t>(draft.ops.size() - 1)};
}

// A read of nothing takes part in no order and no hazard.
OpAt ProtocolDraft::emit_pause(std::uint32_t agent, Duration takes, std::string text) {
  const OpAt where = emit(agent, {.kind = SyncOpKind::read, .count = 0}, std::move(text));
  set_takes(where, takes);
  return where;
}

void ProtocolDraft::pause_at(OpAt where) {
  SyncOp& op = at(where);
  op = {.kind = SyncOpKind::read, .count = 0, .source = op.source};
}

std::optional<OpAt> ProtocolDraft::last_of(std::uint32_t agent) const {
  const std::size_t count = agents[agent].ops.size();
  if (count == 0) return std::nullopt;
  return OpAt{agent, static_cast<std::uint32_t>(count - 1)};
}

std::uint32_t ProtocolDraft::add_flag(FlagOrder order, std::string name) {
  program.flags.push_back({.order = order});
  added_flags_.push_back(std::move(name));
  return static_cast<std::uint32_t>(program.flags.size() - 1);
}

std::uint32_t ProtocolDraft::gpu(const std::string& name) {
  return gpus_.emplace(name, static_cast<std::uint32_t>(gpus_.size())).first->second;
}

Place ProtocolDraft::place(std::uint32_t gpu, const std::string& cluster, const std::string& cta) {
  const auto cta_row = ctas_.emplace(cta, place_count_);
  if (cta_row.second) ++place_count_;
  const auto cluster_row = clusters_.emplace(cluster, place_count_);
  if (cluster_row.second) ++place_count_;
  return {gpu, cluster_row.first->second, cta_row.first->second};
}

Place ProtocolDraft::own_place(std::uint32_t gpu) {
  const std::uint32_t number = place_count_++;
  return {gpu, number, number};
}

void ProtocolDraft::arrive(std::uint32_t flag,
                           std::uint32_t arrivals,
                           OpAt where,
                           const JsonValue& value) {
  PhaseFlag& phases = phases_[flag];
  phases.arrivals = arrivals;
  phases.all.push_back({where, std::nullopt, value});
}

void ProtocolDraft::land(std::uint32_t flag,
                         std::uint32_t arrivals,
                         OpAt where,
                         std::uint32_t engine,
                         const JsonValue& value) {
  PhaseFlag& phases = phases_[flag];
  phases.arrivals = arrivals;
  phases.all.push_back({where, engine, value});
}

// Either one agent makes all arrivals of a phase, or each agent makes one.
void ProtocolDraft::number_phases(std::uint32_t flag, const PhaseFlag& phases) {
  std::vector<std::uint32_t> who;
  for (const Arrival& arrival : phases.all)
    if (std::find(who.begin(), who.end(), arrival.where.agent) == who.end())
      who.push_back(arrival.where.agent);
  const auto agent_count = static_cast<std::uint32_t>(who.size());
  if (agent_count != 1 && agent_count != phases.arrivals)
    phases.all.front().value.fail(
        fmt::format("{} agents arrive here, and a phase takes {}: expected one agent that arrives "
                    "{} times a phase, or {} that arrive once each",
                    agent_count,
                    phases.arrivals,
                    phases.arrivals,
                    phases.arrivals));
  std::vector<std::uint32_t> made(who.size());
  for (const Arrival& arrival : phases.all) {
    const auto slot = static_cast<std::size_t>(
        std::find(who.begin(), who.end(), arrival.where.agent) - who.begin());
    const std::uint32_t step = made[slot]++ * agent_count + static_cast<std::uint32_t>(slot);
    if (arrival.engine) {
      program.engine_ops[*arrival.engine].landed = flag;
      program.engine_ops[*arrival.engine].position = step;
    } else {
      at(arrival.where).position = step;
    }
  }
}

SyncProgram ProtocolDraft::finish(DeclaredNames declared) {
  for (const auto& [flag, phases] : phases_) number_phases(flag, phases);
  struct Names : DeclaredNames {
    std::vector<std::string> agents, texts;
  };
  const auto names = std::make_shared<Names>();
  static_cast<DeclaredNames&>(*names) = std::move(declared);
  names->flags.insert(names->flags.end(), added_flags_.begin(), added_flags_.end());
  bool is_timed = false;
  std::vector<Duration> takes;
  for (DraftAgent& agent : agents) {
    const auto first = static_cast<std::uint32_t>(program.ops.size());
    first_op_.push_back(first);
    names->agents.push_back(std::move(agent.name));
    program.agents.push_back(
        {first, static_cast<std::uint32_t>(agent.ops.size()), agent.place, agent.kind});
    program.ops.insert(program.ops.end(), agent.ops.begin(), agent.ops.end());
    names->texts.insert(names->texts.end(), agent.texts.begin(), agent.texts.end());
    for (const Duration time : agent.takes) {
      takes.push_back(time);
      is_timed = is_timed || time > Duration{};
    }
  }
  if (is_timed) program.takes = std::move(takes);
  program.names.agent = [names](std::uint32_t a) { return names->agents[a]; };
  program.names.location = [names](std::uint32_t l) { return names->locations[l]; };
  program.names.flag = [names](std::uint32_t f) { return names->flags[f]; };
  program.names.communicator = [names](std::uint32_t c) { return names->communicators[c]; };
  program.names.operation = [names](std::uint32_t, std::uint32_t op) { return names->texts[op]; };
  const auto sources = std::make_shared<std::vector<std::uint32_t>>();
  for (const SyncOp& op : program.ops) sources->push_back(op.source);
  program.names.site = [sources](std::uint32_t, std::uint32_t op) { return (*sources)[op]; };
  return std::move(program);
}

}  // namespace epsim
