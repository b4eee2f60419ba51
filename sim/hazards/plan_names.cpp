#include "sim/hazards/plan_names.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

std::string agent_name(const Plan& plan, std::uint32_t id) {
  const Agent& agent = plan.agents[id];
  const Cta& cta = plan.ctas[agent.cta.index()];
  const Kernel& kernel = plan.kernels[cta.kernel.index()];
  std::uint32_t alike = 0;  // of the same role in this CTA, before this one
  for (std::uint32_t a = cta.first_agent; a < id; ++a)
    if (plan.agents[a].role == agent.role) ++alike;
  return fmt::format("rank {}, {} kernel, CTA {}, {} {}",
                     kernel.rank.value,
                     kernel.name,
                     agent.cta.value - kernel.first_cta,
                     kRoleNames[static_cast<std::size_t>(agent.role)],
                     alike);
}

std::string location_name(const Plan& plan, std::uint32_t location) {
  const auto after = std::upper_bound(
      plan.memory.begin(), plan.memory.end(), location, [](std::uint32_t at, const auto& range) {
        return at < range.first;
      });
  check(after != plan.memory.begin(), "a location lies in a range");
  const MemoryRange& range = *std::prev(after);
  return fmt::format("{} {}, rank {}", range.name, location - range.first, range.rank.value);
}

std::string operation_name(const Plan& plan, const SyncOp& op) {
  if (op.source == kNone) return op.kind == SyncOpKind::wait ? "kernel begins" : "kernel ends";
  const Operation& operation = plan.operations[op.source];
  const std::string_view phase = kPhaseNames[static_cast<std::size_t>(operation.phase)];
  switch (operation.kind) {
    case OpKind::load:
      return fmt::format("bulk load ({})", phase);
    case OpKind::put:
      return fmt::format("{} to rank {}",
                         op.kind == SyncOpKind::read    ? "loads of a row, stored"
                         : op.kind == SyncOpKind::issue ? "bulk store"
                                                        : "stores",
                         operation.target);
    case OpKind::drain:
      return "wait for its bulk stores (wait_group 0)";
    case OpKind::signal:
      return fmt::format("{}.{} of flag {}",
                         op.order == Order::relaxed ? "relaxed" : "release",
                         kScopeNames[static_cast<std::size_t>(op.scope)],
                         operation.target);
    case OpKind::wait:
      return fmt::format("acquire.{} of flag {}, for {}",
                         kScopeNames[static_cast<std::size_t>(op.scope)],
                         operation.target,
                         operation.count);
    case OpKind::fence:
      return fmt::format("fence.{}", kFenceNames[operation.detail]);
    case OpKind::post:
      return fmt::format("write posted to queue pair {}", operation.target);
    case OpKind::post_signal:
      return fmt::format(
          "atomic to flag {}, posted to queue pair {}", operation.target, operation.count);
    case OpKind::barrier:
      return plan.barriers[operation.target].members > 32 ? "grid sync" : "barrier";
    case OpKind::work:
    case OpKind::serve:
      return fmt::format("{} ({})",
                         op.kind == SyncOpKind::issue   ? "bulk load, waited for"
                         : op.kind == SyncOpKind::read  ? "load"
                         : op.kind == SyncOpKind::write ? "store"
                                                        : "wait for its bulk load",
                         phase);
  }
  return "";
}

}  // namespace

SyncNames plan_names(const Plan& plan, const std::vector<SyncOp>& operations) {
  // Names outlive moves of the program, so they keep the operations that they speak of.
  const auto ops = std::make_shared<const std::vector<SyncOp>>(operations);
  return {
      .agent = [&plan](std::uint32_t agent) { return agent_name(plan, agent); },
      .location = [&plan](std::uint32_t location) { return location_name(plan, location); },
      .flag = [](std::uint32_t flag) { return fmt::format("flag {}", flag); },
      .communicator = {},
      .operation = [&plan, ops](std::uint32_t,
                                std::uint32_t op) { return operation_name(plan, (*ops)[op]); },
      .site =
          [&plan, ops](std::uint32_t agent, std::uint32_t index) {
            const SyncOp& op = (*ops)[index];
            const std::uint64_t role = static_cast<std::uint64_t>(plan.agents[agent].role);
            const std::uint64_t kind =
                op.source == kNone ? 0xff
                                   : static_cast<std::uint64_t>(plan.operations[op.source].kind);
            const auto own = static_cast<std::uint64_t>(op.kind);
            return role << 16 | kind << 8 | own;
          },
  };
}

}  // namespace epsim
