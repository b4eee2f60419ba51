#include "sim/hazards/finding_words.hpp"

#include <fmt/format.h>

namespace epsim {
namespace {

std::string_view fence_space(MemorySpace space) {
  return space == MemorySpace::shared ? ".shared::cta" : ".global";
}

std::string agent_name(const SyncProgram& program, std::uint32_t agent) {
  return program.names.agent ? program.names.agent(agent) : fmt::format("agent {}", agent);
}

FindingWords proxy_words(const SyncProgram& program, const Conflict& conflict, Cause cause) {
  const MemorySpace space = program.locations[conflict.subject];
  const std::string_view suffix = fence_space(space);
  const Proxy proxy =
      conflict.second_proxy != Proxy::generic ? conflict.second_proxy : conflict.first_proxy;
  const std::string_view name = kProxyNames[static_cast<std::size_t>(proxy)];
  const std::string fence = proxy == Proxy::async ? fmt::format("fence.proxy.async{}", suffix)
                                                  : fmt::format("fence.proxy.{}", name);
  const std::string first = agent_name(program, conflict.first_agent);
  const std::string second = agent_name(program, conflict.second_agent);
  FindingWords words;
  words.missing =
      cause == Cause::fence_place
          ? fmt::format("the fence on the way stands in another CTA than the {} access", name)
          : fmt::format("a fence between the generic and the {} proxy, for {} memory",
                        name,
                        kMemorySpaceNames[static_cast<std::size_t>(space)]);
  const bool same_cta =
      program.agents[conflict.first_agent].place == program.agents[conflict.second_agent].place;
  if (conflict.second_proxy != Proxy::generic)
    words.closes = same_cta
                       ? fmt::format("{} in {}, before it hands over; or in {}, before it goes on",
                                     fence,
                                     first,
                                     second)
                       : fmt::format(
                             "{} in the CTA of {}, after its last wait or barrier and "
                             "before the access",
                             fence,
                             second);
  else
    words.closes = fmt::format("{} in the CTA of {}, after the access", fence, first);
  return words;
}

FindingWords scope_words(const SyncProgram& program, const Conflict& conflict) {
  const Scope span = span_of(program.agents[conflict.first_agent].place,
                             program.agents[conflict.second_agent].place);
  const std::string_view scope = kScopeNames[static_cast<std::size_t>(span)];
  return {"a signal on the way releases nothing, or its scope does not reach the other side",
          fmt::format("st.release.{0} and ld.acquire.{0} at every hand-over on the way", scope)};
}

// What orders two agents that nothing orders, by what they are.
FindingWords order_words(const SyncProgram& program, const Conflict& conflict) {
  const SyncAgent& first = program.agents[conflict.first_agent];
  const SyncAgent& second = program.agents[conflict.second_agent];
  const std::string from = agent_name(program, conflict.first_agent);
  const std::string to = agent_name(program, conflict.second_agent);
  const auto is_host = [](const SyncAgent& agent) {
    return agent.kind == AgentKind::cpu || agent.kind == AgentKind::nic;
  };
  const auto is_queue = [](const SyncAgent& agent) {
    return agent.kind == AgentKind::stream || agent.kind == AgentKind::copy_engine;
  };
  if (conflict.first_by_engine && conflict.first_agent == conflict.second_agent)
    return {"the completion of the copy",
            "wait for its mbarrier, or for its bulk group with a smaller N and without .read"};
  if (conflict.first_by_engine && first.place == second.place)
    return {
        fmt::format("the completion of the copy, seen by {}", to),
        fmt::format("{} waits for the copy's mbarrier or bulk group before it hands over", from)};
  if (is_host(second) && !is_host(first))
    return {"kernel completion as the host sees it",
            "cudaStreamSynchronize or cudaEventSynchronize before the host goes on, or a host "
            "function in the stream"};
  if (is_host(first) && !is_host(second))
    return {"the host's action before the GPU's",
            "launch or signal after it, from the thread that did it"};
  if (is_host(first))
    return {"an order between host threads or the NIC",
            "the later one waits for the completion of the earlier one"};
  if (is_queue(first) || is_queue(second))
    return {"an order between the two streams",
            fmt::format("cudaEventRecord after {} and cudaStreamWaitEvent before {}", from, to)};
  if (first.place == second.place)
    return {"a barrier of the CTA between the two",
            "__syncthreads (bar.sync) between them, or a value kept in registers"};
  const std::string_view scope =
      kScopeNames[static_cast<std::size_t>(span_of(first.place, second.place))];
  return {fmt::format("a release by {} that {} acquires", from, to),
          fmt::format("st.release.{0} of a flag after the one, ld.acquire.{0} of it before the "
                      "other; or a kernel boundary on one stream",
                      scope)};
}

FindingWords flag_words(const SyncProgram& program, const Conflict& conflict) {
  const std::string from = agent_name(program, conflict.first_agent);
  const std::string to = agent_name(program, conflict.second_agent);
  if (conflict.kind == HazardKind::stale_signal)
    return {"the word does not say which call it belongs to",
            "tag the word with a generation and wait for that one, or one handle for the buffer"};
  if (conflict.kind == HazardKind::lost_signal)
    return {
        "the reset is not ordered with the signal and its wait",
        fmt::format("{} waits for what {} does, in stream order or by a flag; or tag words with "
                    "a generation and never reset them",
                    to,
                    from)};
  return {"the same order of collectives on every rank",
          "one communicator for each stream, or an event between the two streams"};
}

}  // namespace

std::string operation_text(const SyncProgram& program, std::uint32_t agent, std::uint32_t op) {
  const std::string what =
      program.names.operation
          ? program.names.operation(agent, op)
          : fmt::format("{} {}",
                        kSyncOpKindNames[static_cast<std::size_t>(program.ops[op].kind)],
                        program.ops[op].target);
  return fmt::format("{}: {}", agent_name(program, agent), what);
}

FindingWords finding_words(const SyncProgram& program,
                           const Conflict& conflict,
                           Cause cause,
                           const PlatformCondition* condition) {
  switch (conflict.kind) {
    case HazardKind::stale_signal:
    case HazardKind::lost_signal:
    case HazardKind::collective_order:
      return flag_words(program, conflict);
    case HazardKind::call_order:
      return {"who meets at the barrier: it may count this arrival for the meeting before",
              "a barrier of its own for each group, or an order with the meeting before"};
    case HazardKind::non_coherent_read:
      return {"ld.global.nc promises nothing for data that is written while the kernel runs",
              "an ordinary load (ld.global or ld.volatile), or a kernel boundary before it"};
    case HazardKind::use_after_end:
      return {"the last use is not before the end of the memory's life",
              "free or give back after an event, a stream synchronisation or record_stream says "
              "that the last use is over"};
    default:
      break;
  }
  switch (cause) {
    case Cause::platform:
      return {condition == nullptr ? "a property of the platform" : condition->what,
              condition == nullptr ? "an explicit flush" : condition->closes};
    case Cause::fence_place:
    case Cause::proxy:
      return proxy_words(program, conflict, cause);
    case Cause::strength:
      return scope_words(program, conflict);
    case Cause::order:
      return order_words(program, conflict);
  }
  return {};
}

}  // namespace epsim
