// What the CUDA API orders: kernels and host functions on streams, events, synchronisation.
#include <algorithm>

#include <fmt/format.h>

#include "sim/protocols/protocol_builder.hpp"

namespace epsim {
namespace {

template <typename Entries>
auto& declared(Entries& entries,
               const JsonValue& value,
               const std::string& name,
               std::string_view what) {
  const auto found = entries.find(name);
  if (found == entries.end()) value.fail(fmt::format("no {} is called \"{}\"", what, name));
  return found->second;
}

SyncOp api_signal(std::uint32_t flag) {
  return {.kind = SyncOpKind::signal, .order = Order::release, .traits = kApiEdge, .target = flag};
}

SyncOp api_wait(std::uint32_t flag, std::uint32_t count) {
  return {.kind = SyncOpKind::wait,
          .order = Order::acquire,
          .traits = kApiEdge,
          .target = flag,
          .count = count};
}

}  // namespace

StreamEntry& ProtocolBuilder::stream(const JsonValue& value, const Variables& variables) {
  return declared(streams_, value, read_filled(value, variables), "stream");
}

NicEntry& ProtocolBuilder::nic(const JsonValue& value, const Variables& variables) {
  return declared(nics_, value, read_filled(value, variables), "NIC");
}

EventEntry& ProtocolBuilder::event(const JsonValue& value, const Variables& variables) {
  const std::string name = read_filled(value, variables);
  EventEntry& entry = events_[name];
  if (entry.flag == kNone) entry.flag = draft.add_flag(FlagOrder::progress, "event " + name);
  return entry;
}

void ProtocolBuilder::launch(OpSite& site, bool host_function) {
  const std::string name = read_filled(site.main, site.variables);
  const auto& known = host_function ? host_function_names_ : kernel_names_;
  if (!known.contains(name))
    site.main.fail(fmt::format(
        "no {} is called \"{}\"", host_function ? "host function" : "kernel of a thread", name));
  const std::int64_t call = calls_[name]++;
  const std::string kernel_call = call == 0 ? "" : fmt::format(", call {}", call + 1);
  const std::string title = name + kernel_call;
  const std::uint32_t start = draft.add_flag(FlagOrder::counter, "start of " + title);
  const std::uint32_t end = draft.add_flag(FlagOrder::counter, "end of " + title);
  draft.emit(site.agent, api_signal(start), "launch of " + title);
  std::vector<Instance> running;
  if (host_function) {
    for (const Instance& one : host_functions_)
      if (one.name == name) running.push_back(one);
  } else {
    for (const std::size_t thread : members_[name]) running.push_back(threads_[thread]);
  }
  for (Instance& instance : running) {
    instance.variables["call"] = call;
    const std::uint32_t agent =
        host_function ? draft.add_agent(
                            instance.name + kernel_call, AgentKind::cpu, draft.own_place(kHostGpu))
                      : add_thread(instance, name, kernel_call);
    draft.stand_at(instance.value);
    draft.emit(agent, api_wait(start, 1), "start of " + title);
    run_instance(instance, agent, host_function ? kHostFunction : kThread);
    draft.stand_at(instance.value);
    draft.emit(agent, api_signal(end), "end of " + title);
  }
  draft.stand_at(site.object.value());
  const auto members = static_cast<std::uint32_t>(running.size());
  if (members > 0) draft.emit(site.agent, api_wait(end, members), "end of " + title);
}

void ProtocolBuilder::record(OpSite& site) {
  EventEntry& entry = event(site.main, site.variables);
  SyncOp op = api_signal(entry.flag);
  op.position = entry.recorded++;
  if (site.caller != kNone) entry.newest[site.caller] = entry.recorded;
  draft.emit(
      site.agent, op, fmt::format("record of event {}", read_filled(site.main, site.variables)));
}

// Which record it waits for is known when all records are.
void ProtocolBuilder::wait_event(OpSite& site) {
  EventEntry& entry = event(site.main, site.variables);
  const std::string name = read_filled(site.main, site.variables);
  const OpAt where =
      draft.emit(site.agent, api_wait(entry.flag, 1), fmt::format("wait for event {}", name));
  const std::uint32_t caller = site.performer == kCpu ? site.agent : site.caller;
  const auto newest = entry.newest.find(caller);
  EventUse use{where, site.main, name, caller, 0, std::nullopt};
  if (newest != entry.newest.end()) use.newest = newest->second;
  if (const auto nth = site.object.optional("nth"))
    use.nth = static_cast<std::uint32_t>(read_number(*nth, site.variables, 1, 1'000'000));
  event_uses_.push_back(std::move(use));
}

void ProtocolBuilder::finish_events() {
  for (const EventUse& use : event_uses_) {
    const EventEntry& entry = events_.find(use.event)->second;
    const bool records_itself = entry.newest.contains(use.caller);
    const std::uint32_t record = use.nth               ? *use.nth
                                 : records_itself      ? use.newest
                                 : entry.recorded == 0 ? 0
                                                       : 1;
    if (entry.recorded == 0 && variants_.empty())
      use.value.fail(fmt::format("nothing records event \"{}\"", use.event));
    if (record > entry.recorded)
      use.value.fail(
          fmt::format("event \"{}\" has {} records, and this waits for the one after them",
                      use.event,
                      entry.recorded));
    draft.at(use.where).count = record;
    if (record == 0) draft.pause_at(use.where);  // CUDA does not wait for what was never recorded
  }
}

void ProtocolBuilder::synchronise(OpSite& site, StreamEntry& entry, const std::string& name) {
  const std::string text = "synchronisation with stream " + name;
  const std::uint32_t flag = draft.add_flag(FlagOrder::counter, text);
  const OpAt where = draft.emit(site.agent, api_wait(flag, 1), text);
  if (entry.enqueuer == site.agent)
    draft.emit(entry.agent, api_signal(flag), "seen by " + draft.agents[site.agent].name);
  else
    synchronisations_.push_back({where, name, site.agent});
}

// Of a stream that another fills: all of it. Before anything is in it there is nothing to wait for.
void ProtocolBuilder::finish_synchronisations() {
  for (const Synchronisation& wait : synchronisations_) {
    const StreamEntry& entry = streams_.find(wait.stream)->second;
    if (entry.enqueuer == wait.caller) {
      draft.pause_at(wait.where);
      continue;
    }
    const std::uint32_t flag = draft.at(wait.where).target;
    draft.emit(entry.agent, api_signal(flag), "seen by " + draft.agents[wait.caller].name);
  }
}

std::uint32_t ProtocolBuilder::collective_number(std::uint32_t communicator,
                                                 const std::string& name) {
  return collectives_
      .emplace(fmt::format("{} {}", communicator, name),
               static_cast<std::uint32_t>(collectives_.size()))
      .first->second;
}

std::uint16_t ProtocolBuilder::known_condition(const PlatformCondition& condition) {
  auto& all = draft.program.conditions;
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i].what == condition.what) return static_cast<std::uint16_t>(i);
  all.push_back(condition);
  return static_cast<std::uint16_t>(all.size() - 1);
}

SyncProgram ProtocolBuilder::finish() {
  finish_events();
  finish_synchronisations();
  return draft.finish(
      {std::move(names.locations), std::move(names.flags), std::move(names.communicators)});
}

}  // namespace epsim
