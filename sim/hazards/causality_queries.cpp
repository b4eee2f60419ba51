// What an agent must see, given what it knows: PTX's proxy-preserved base causality order.
#include <algorithm>

#include "sim/hazards/causality.hpp"

namespace epsim {
namespace {

std::size_t slot(MemorySpace space) {
  return space == MemorySpace::shared ? 1 : 0;
}

// One-way fences hold on one side only.
bool holds_at_source(Order order) {
  return order != Order::acquire;
}
bool holds_at_reader(Order order) {
  return order != Order::release;
}

}  // namespace

AccessAt Causality::access_of(std::uint32_t agent, std::uint32_t op) const {
  return {agent, op + 1, agent, op, program_.ops[op].proxy, false};
}

AccessAt Causality::engine_read(std::uint32_t agent, std::uint32_t op) const {
  const EngineAxes& axes = engines_[program_.ops[op].target];
  return {axes.read_axis, axes.index, agent, op, Proxy::async, true};
}

AccessAt Causality::engine_write(std::uint32_t agent, std::uint32_t op) const {
  const EngineAxes& axes = engines_[program_.ops[op].target];
  return {axes.write_axis, axes.index, agent, op, Proxy::async, true};
}

bool Causality::knows(std::uint32_t agent, const AccessAt& earlier) const {
  const AgentState& state = agents_[agent];
  if (earlier.axis == agent) return earlier.index <= state.index;
  return state.clock.newest(earlier.axis) >= earlier.index;
}

bool Causality::knows_by_api(std::uint32_t agent,
                             MemorySpace space,
                             const AccessAt& earlier) const {
  return agents_[agent].beyond[slot(space)].newest(earlier.axis) >= earlier.index;
}

bool Causality::sees(std::uint32_t agent,
                     Proxy proxy,
                     MemorySpace space,
                     const AccessAt& earlier) const {
  if (!knows(agent, earlier)) return false;
  if (assumptions_.proxies == ProxyRule::ignored) return true;
  // The completion of a copy, which is how it is known at all, holds a fence for what it did.
  const bool source_done = earlier.proxy == Proxy::generic || earlier.by_engine;
  if (source_done && proxy == Proxy::generic) return true;
  const Place& here = program_.agents[agent].place;
  const Place& there = program_.agents[earlier.agent].place;
  if (earlier.proxy == proxy && here.gpu == there.gpu && here.cta == there.cta) return true;
  if (knows_by_api(agent, space, earlier)) return true;
  return fenced_towards(agent, proxy, space, earlier);
}

// A fence in the CTA of the later access, after the earlier one and before the later; and where the
// earlier access went by a proxy too, one in its CTA before that.
bool Causality::fenced_towards(std::uint32_t agent,
                               Proxy proxy,
                               MemorySpace space,
                               const AccessAt& earlier) const {
  const AgentState& state = agents_[agent];
  const bool source_done = earlier.proxy == Proxy::generic || earlier.by_engine;
  const auto known = [&](std::uint32_t axis) {
    return axis == agent ? state.index : state.clock.newest(axis);
  };
  if (proxy == Proxy::generic)
    return fenced_at_source(earlier, space, Snapshot{state.clock, {agent, state.index}, {}});
  const auto logs = fences_.find(program_.agents[agent].place.cta);
  if (logs == fences_.end()) return false;
  for (const FenceLog& log : logs->second) {
    if (log.proxy != proxy) continue;
    const std::uint32_t newest = known(log.agent);
    const std::vector<Fence>& fences = log.by_space[slot(space)];
    auto at = std::upper_bound(
        fences.begin(), fences.end(), newest, [](std::uint32_t index, const Fence& fence) {
          return index < fence.op + 1;
        });
    while (at != fences.begin() && !holds_at_reader(std::prev(at)->order)) --at;
    if (at == fences.begin()) continue;
    const Snapshot& covered = *std::prev(at)->snapshot;
    const std::uint32_t reach =
        earlier.axis == covered.own.axis ? covered.own.index : covered.clock.newest(earlier.axis);
    if (reach < earlier.index) continue;
    if (source_done || fenced_at_source(earlier, space, covered)) return true;
  }
  return false;
}

bool Causality::fenced_at_source(const AccessAt& earlier,
                                 MemorySpace space,
                                 const Snapshot& known) const {
  const auto logs = fences_.find(program_.agents[earlier.agent].place.cta);
  if (logs == fences_.end()) return false;
  for (const FenceLog& log : logs->second) {
    if (log.proxy != earlier.proxy) continue;
    const std::uint32_t newest =
        log.agent == known.own.axis ? known.own.index : known.clock.newest(log.agent);
    for (const Fence& fence : log.by_space[slot(space)]) {
      if (fence.op + 1 > newest) break;
      if (!holds_at_source(fence.order)) continue;
      const Snapshot& covered = *fence.snapshot;
      const std::uint32_t reach =
          earlier.axis == covered.own.axis ? covered.own.index : covered.clock.newest(earlier.axis);
      if (reach >= earlier.index) return true;
    }
  }
  return false;
}

}  // namespace epsim
