#include "sim/hazards/plan_program.hpp"

#include <algorithm>
#include <string>

#include "sim/base/check.hpp"
#include "sim/hazards/plan_names.hpp"

namespace epsim {
namespace {

constexpr std::string_view kFlushed =
    "remote writes that arrived before the flag are visible behind the stream's wait";

class PlanTranslator {
 public:
  explicit PlanTranslator(const Plan& plan)
      : plan_(plan), flag_scope_(plan.flags.size()), steps_(plan.flags.size()) {}

  SyncProgram translate() {
    program_.name = plan_.name;
    program_.ops.reserve(plan_.operations.size());
    add_memory();
    for (const Flag& flag : plan_.flags)
      program_.flags.push_back({flag.in_steps ? FlagOrder::progress : FlagOrder::counter, 0});
    for (const Barrier& barrier : plan_.barriers) program_.barriers.push_back({barrier.members});
    find_scopes();
    add_kernel_ends();
    for (const Agent& agent : plan_.agents) add_agent(agent);
    program_.conditions.push_back({std::string(kFlushed),
                                   "CU_STREAM_WAIT_VALUE_FLUSH on the wait, or a flush operation "
                                   "behind it"});
    return std::move(program_);
  }

 private:
  void add_memory() {
    program_.locations.assign(plan_.location_count, MemorySpace::global);
    for (std::size_t m = 0; m < plan_.memory.size(); ++m) {
      if (!plan_.memory[m].is_shared) continue;
      const std::uint32_t end =
          m + 1 < plan_.memory.size() ? plan_.memory[m + 1].first : plan_.location_count;
      std::fill(program_.locations.begin() + plan_.memory[m].first,
                program_.locations.begin() + end,
                MemorySpace::shared);
    }
  }

  // A flag is acquired at the scope at which it is released.
  void find_scopes() {
    for (const Operation& operation : plan_.operations)
      if (operation.kind == OpKind::signal)
        flag_scope_[operation.target] =
            std::max(flag_scope_[operation.target], scope_of(operation));
    // Between a host thread and a stream it is the CUDA API that orders: synchronise, launch.
    by_host_.assign(plan_.flags.size(), false);
    for (const Agent& agent : plan_.agents) {
      if (agent.role != Role::host_thread) continue;
      for (const Operation& operation : plan_.operations_of(agent))
        if (operation.kind == OpKind::signal || operation.kind == OpKind::wait)
          by_host_[operation.target] = true;
    }
  }

  static Scope scope_of(const Operation& signal) {
    return signal.detail == kRelaxed ? Scope::sys : static_cast<Scope>(signal.detail);
  }

  // A flag for each kernel that another waits for.
  void add_kernel_ends() {
    kernel_end_.assign(plan_.kernels.size(), kNone);
    waits_for_.resize(plan_.kernels.size());
    agents_of_.assign(plan_.kernels.size(), 0);
    for (const Agent& agent : plan_.agents)
      ++agents_of_[plan_.ctas[agent.cta.index()].kernel.index()];
    const auto follow = [&](std::size_t earlier, std::size_t later) {
      if (kernel_end_[earlier] == kNone) {
        kernel_end_[earlier] = static_cast<std::uint32_t>(program_.flags.size());
        program_.flags.push_back({});
      }
      waits_for_[later].push_back(earlier);
    };
    for (std::size_t k = 0; k < plan_.kernels.size(); ++k)
      if (plan_.kernels[k].after >= 0) follow(static_cast<std::size_t>(plan_.kernels[k].after), k);
    for (const KernelEdge& edge : plan_.kernel_edges)
      follow(edge.earlier.index(), edge.later.index());
  }

  void add_agent(const Agent& agent) {
    const auto begin = static_cast<std::uint32_t>(program_.ops.size());
    const auto id = static_cast<std::uint32_t>(program_.agents.size());
    const std::size_t kernel = plan_.ctas[agent.cta.index()].kernel.index();
    copies_ = kNone;
    stores_ = 0;
    for (const std::size_t earlier : waits_for_[kernel])
      append({.kind = SyncOpKind::wait,
              .order = Order::acquire,
              .traits = kApiEdge,
              .target = kernel_end_[earlier],
              .count = agents_of_[earlier],
              .source = kNone});
    const std::uint32_t end = agent.first_operation + agent.operation_count;
    for (std::uint32_t o = agent.first_operation; o < end; ++o) add_operation(o);
    if (kernel_end_[kernel] != kNone)
      append({.kind = SyncOpKind::signal,
              .order = Order::release,
              .traits = kApiEdge,
              .target = kernel_end_[kernel],
              .source = kNone});
    const std::uint32_t cta = agent.cta.value;
    program_.agents.push_back(
        {begin,
         static_cast<std::uint32_t>(program_.ops.size()) - begin,
         {agent.role == Role::host_thread ? kHostGpu : plan_.rank_of(plan_.agents[id]).value,
          cta,
          cta},
         kind_of(agent.role)});
  }

  static AgentKind kind_of(Role role) {
    if (role == Role::stream) return AgentKind::stream;
    return role == Role::host_thread ? AgentKind::cpu : AgentKind::threads;
  }

  void append(const SyncOp& op) { program_.ops.push_back(op); }

  void add_operation(std::uint32_t index) {
    const Operation& operation = plan_.operations[index];
    const std::uint32_t first_access = next_access_;
    while (next_access_ < plan_.accesses.size() && plan_.accesses[next_access_].operation == index)
      ++next_access_;
    const auto accesses =
        std::span(plan_.accesses).subspan(first_access, next_access_ - first_access);
    switch (operation.kind) {
      case OpKind::work:
      case OpKind::serve:
      case OpKind::put:
        return add_accesses(operation, index, accesses);
      case OpKind::load:
        return add_load(operation, index, accesses);
      case OpKind::drain:
        if (stores_ > 0) append({.kind = SyncOpKind::wait_group, .count = 0, .source = index});
        return;
      case OpKind::signal:
        return add_signal(operation, index, accesses);
      case OpKind::wait:
        if (operation.count > 0) add_wait(operation, index);
        return;
      case OpKind::fence:
        return add_fence(operation, index);
      case OpKind::barrier:
        return append({.kind = SyncOpKind::barrier, .target = operation.target, .source = index});
      case OpKind::post:
      case OpKind::post_signal:
        check(false, "who checks a plan refuses NICs first");
    }
  }

  void add_accesses(const Operation& operation,
                    std::uint32_t index,
                    std::span<const Access> accesses) {
    for (const Access& access : accesses) {
      if (access.kind == AccessKind::step) continue;
      const bool reads = access.kind == AccessKind::read;
      if (access.way == AccessWay::bulk) {
        add_copy(operation, index, access);
        continue;
      }
      append({.kind = reads ? SyncOpKind::read : SyncOpKind::write,
              .traits = access.way == AccessWay::non_coherent ? kNonCoherent : std::uint8_t{0},
              .target = access.location,
              .count = access.count,
              .source = index});
    }
  }

  // A bulk store is complete when it is drained; a bulk load within an operation at its end.
  void add_copy(const Operation& operation, std::uint32_t index, const Access& access) {
    EngineOp copy;
    if (access.kind == AccessKind::write) {
      check(operation.kind == OpKind::put, "a bulk store is a put");
      copy.write_to = access.location;
      copy.write_count = access.count;
      ++stores_;
      return add_issue(copy, index);
    }
    if (copies_ == kNone) {
      copies_ = static_cast<std::uint32_t>(program_.flags.size());
      program_.flags.push_back({FlagOrder::progress, 0});
      copies_done_ = 0;
    }
    copy.read_from = access.location;
    copy.read_count = access.count;
    copy.landed = copies_;
    copy.position = copies_done_++;
    add_issue(copy, index);
    append({.kind = SyncOpKind::wait,
            .scope = Scope::cta,
            .order = Order::acquire,
            .target = copies_,
            .count = copies_done_,
            .source = index});
  }

  void add_issue(const EngineOp& copy, std::uint32_t index) {
    append({.kind = SyncOpKind::issue,
            .proxy = Proxy::async,
            .target = static_cast<std::uint32_t>(program_.engine_ops.size()),
            .source = index});
    program_.engine_ops.push_back(copy);
  }

  void add_load(const Operation& operation, std::uint32_t index, std::span<const Access> accesses) {
    EngineOp copy;
    for (const Access& access : accesses) {
      const bool reads = access.kind == AccessKind::read;
      (reads ? copy.read_from : copy.write_to) = access.location;
      (reads ? copy.read_count : copy.write_count) = access.count;
    }
    copy.landed = operation.target;
    copy.position = steps_[operation.target]++;
    add_issue(copy, index);
  }

  void add_signal(const Operation& operation,
                  std::uint32_t index,
                  std::span<const Access> accesses) {
    SyncOp op{.kind = SyncOpKind::signal,
              .scope = scope_of(operation),
              .order = operation.detail == kRelaxed ? Order::relaxed : Order::release,
              .traits = by_host_[operation.target] ? kApiEdge : std::uint8_t{0},
              .target = operation.target,
              .count = operation.count,
              .source = index};
    if (!plan_.flags[operation.target].in_steps) return append(op);
    check(accesses.empty() || operation.count == 1, "a signal completes one step");
    op.count = 1;
    for (std::uint32_t i = 0; i < operation.count; ++i) {
      op.position = accesses.empty() ? steps_[operation.target]++ : accesses.front().location;
      append(op);
    }
  }

  void add_wait(const Operation& operation, std::uint32_t index) {
    SyncOp op{.kind = SyncOpKind::wait,
              .scope = flag_scope_[operation.target],
              .order = Order::acquire,
              .target = operation.target,
              .count = operation.count,
              .source = index};
    // That peers' writes are visible behind a stream's wait needs a flush, or a platform that needs
    // none.
    if (operation.detail == kUnflushed) op.traits = kConditional;
    if (by_host_[operation.target]) op.traits = kApiEdge;
    append(op);
  }

  void add_fence(const Operation& operation, std::uint32_t index) {
    const auto kind = static_cast<FenceKind>(operation.detail);
    SyncOp op{.kind = SyncOpKind::fence, .order = Order::acq_rel, .source = index};
    switch (kind) {
      case FenceKind::none:
        return;
      case FenceKind::acq_rel_cta:
        op.scope = Scope::cta;
        break;
      case FenceKind::acq_rel_cluster:
        op.scope = Scope::cluster;
        break;
      case FenceKind::acq_rel_gpu:
        op.scope = Scope::gpu;
        break;
      case FenceKind::acq_rel_sys:
        op.scope = Scope::sys;
        break;
      case FenceKind::proxy_async:
      case FenceKind::proxy_async_global:
      case FenceKind::proxy_async_shared_cta:
        op.kind = SyncOpKind::proxy_fence;
        op.proxy = Proxy::async;
        op.space = kind == FenceKind::proxy_async          ? MemorySpace::both
                   : kind == FenceKind::proxy_async_global ? MemorySpace::global
                                                           : MemorySpace::shared;
        break;
    }
    append(op);
  }

  const Plan& plan_;
  SyncProgram program_;
  std::vector<Scope> flag_scope_;
  std::vector<bool> by_host_;         // flags
  std::vector<std::uint32_t> steps_;  // completed so far, by flag that counts steps
  std::vector<std::uint32_t> kernel_end_;
  std::vector<std::vector<std::size_t>> waits_for_;
  std::vector<std::uint32_t> agents_of_;  // a kernel
  std::uint32_t next_access_ = 0;
  // Of the agent being written: its own copies, and how many stores it has issued.
  std::uint32_t copies_ = kNone, copies_done_ = 0, stores_ = 0;
};

}  // namespace

SyncProgram plan_sync_program(const Plan& plan) {
  SyncProgram program = PlanTranslator(plan).translate();
  program.names = plan_names(plan, program.ops);
  return program;
}

}  // namespace epsim
