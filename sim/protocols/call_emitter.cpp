#include "sim/protocols/call_emitter.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace epsim {
namespace {

struct Texts {
  std::vector<std::string> agents, locations, flags, communicators, operations;
  std::vector<std::uint64_t> sites;
};

// The same operation of the same call is one site, on whichever rank and in whichever replay.
std::uint64_t site_of(const CallStep& step) {
  constexpr std::uint64_t kRoles = 16;
  return step.call * kRoles + static_cast<std::uint64_t>(step.role);
}

// Calls happen at moments, which are far apart: an operation takes a picosecond. What an agent does
// in between is a read of nothing.
constexpr Duration kMoment{1'000'000};
constexpr Duration kOperation{1};
constexpr SyncOp kPause{.kind = SyncOpKind::read, .count = 0};

}  // namespace

std::uint32_t CallEmitter::agent(AgentKind kind, std::uint32_t gpu, const std::string& name) {
  const auto next = static_cast<std::uint32_t>(agents_.size());
  const auto [row, is_new] = agent_of_.emplace(name, next);
  if (is_new)
    agents_.push_back(
        {name, {.place = {.gpu = gpu, .cluster = next, .cta = next}, .kind = kind}, {}, {}, {}});
  return row->second;
}

std::uint32_t CallEmitter::flag(const std::string& name, FlagOrder order) {
  flag_names_.push_back(name);
  program_.flags.push_back({order, 0});
  return static_cast<std::uint32_t>(program_.flags.size() - 1);
}

std::uint32_t CallEmitter::location(const std::string& name, bool initialised) {
  location_names_.push_back(name);
  program_.locations.push_back(MemorySpace::global);
  program_.initialised.push_back(initialised);
  return static_cast<std::uint32_t>(program_.locations.size() - 1);
}

std::uint32_t CallEmitter::barrier(std::uint32_t members) {
  program_.barriers.push_back({members});
  return static_cast<std::uint32_t>(program_.barriers.size() - 1);
}

std::uint32_t CallEmitter::communicator(const std::string& name, std::uint32_t members) {
  communicator_names_.push_back(name);
  program_.communicators.push_back({members});
  return static_cast<std::uint32_t>(program_.communicators.size() - 1);
}

std::uint16_t CallEmitter::condition(const PlatformCondition& condition) {
  auto& all = program_.conditions;
  const auto found = std::find_if(all.begin(), all.end(), [&](const PlatformCondition& known) {
    return known.what == condition.what;
  });
  const auto index = static_cast<std::uint16_t>(found - all.begin());
  if (found == all.end()) all.push_back(condition);
  return index;
}

void CallEmitter::emit(std::uint32_t agent, const SyncOp& op, CallStep step) {
  agents_[agent].ops.push_back(op);
  agents_[agent].steps.push_back(std::move(step));
  agents_[agent].moments.push_back(moment_);
  ++operations_;
}

std::uint32_t CallEmitter::api_signal(std::uint32_t from, CallStep step) {
  const std::uint32_t made = flag("end of: " + step.text, FlagOrder::counter);
  emit(from,
       {.kind = SyncOpKind::signal, .order = Order::release, .traits = kApiEdge, .target = made},
       std::move(step));
  return made;
}

void CallEmitter::api_wait(std::uint32_t agent, std::uint32_t flag, CallStep step) {
  emit(agent,
       {.kind = SyncOpKind::wait, .order = Order::acquire, .traits = kApiEdge, .target = flag},
       std::move(step));
}

CallProgram CallEmitter::take(const CallSequence& sequence) {
  CallProgram result;
  SyncProgram& program = result.program;
  program = std::move(program_);
  program.name = sequence.name;
  const auto texts = std::make_shared<Texts>();
  const auto add = [&](SyncOp op, CallStep step, Duration takes) {
    op.source = step.call;
    program.ops.push_back(op);
    program.takes.push_back(takes);
    texts->operations.push_back(step.text);
    texts->sites.push_back(site_of(step));
    result.steps.push_back(std::move(step));
  };
  for (AgentOps& agent : agents_) {
    agent.agent.first_op = static_cast<std::uint32_t>(program.ops.size());
    std::int64_t moment = 0;
    for (std::size_t i = 0; i < agent.ops.size(); ++i) {
      if (agent.moments[i] > moment) {
        CallStep pause{.call = agent.steps[i].call, .rank = agent.steps[i].rank, .text = "pauses"};
        add(kPause, std::move(pause), (agent.moments[i] - moment) * kMoment);
        ++result.pauses;
      }
      moment = agent.moments[i];
      add(agent.ops[i], std::move(agent.steps[i]), kOperation);
    }
    agent.agent.op_count = static_cast<std::uint32_t>(program.ops.size()) - agent.agent.first_op;
    program.agents.push_back(agent.agent);
    texts->agents.push_back(agent.name);
  }
  texts->locations = std::move(location_names_);
  texts->flags = std::move(flag_names_);
  texts->communicators = std::move(communicator_names_);
  program.names = {
      .agent = [texts](std::uint32_t i) { return texts->agents.at(i); },
      .location = [texts](std::uint32_t i) { return texts->locations.at(i); },
      .flag = [texts](std::uint32_t i) { return texts->flags.at(i); },
      .communicator = [texts](std::uint32_t i) { return texts->communicators.at(i); },
      .operation = [texts](std::uint32_t, std::uint32_t op) { return texts->operations.at(op); },
      .site = [texts](std::uint32_t, std::uint32_t op) { return texts->sites.at(op); }};
  return result;
}

}  // namespace epsim
