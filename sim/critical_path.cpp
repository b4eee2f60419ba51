#include "sim/critical_path.hpp"

#include <algorithm>
#include <limits>
#include <span>

#include "sim/base/check.hpp"
#include "sim/cause_index.hpp"

namespace epsim {
namespace {

class PathWalker {
 public:
  PathWalker(const Plan& plan, const Timeline& timeline, const Topology& topology)
      : plan_(plan), timeline_(timeline), causes_(plan, timeline, topology) {}

  CriticalPath walk() {
    if (plan_.kernels.empty()) return {};
    const auto last = std::max_element(timeline_.kernel_end.begin(), timeline_.kernel_end.end());
    begin_ = Instant{} + causes_.last_rank_start();
    at_ = *last;
    auto k = static_cast<std::uint32_t>(last - timeline_.kernel_end.begin());
    for (;;) {
      enter_kernel(k);
      while (at_ > begin_ && step_back()) {
      }
      const Kernel& kernel = kernel_of(agent_);
      const auto index = static_cast<std::size_t>(&kernel - plan_.kernels.data());
      spend(Phase::launch, timeline_.kernel_start[index]);
      const std::int64_t earlier = released_by(static_cast<std::uint32_t>(index));
      if (earlier < 0 || at_ <= begin_) break;
      k = static_cast<std::uint32_t>(earlier);
      spend(Phase::launch, timeline_.kernel_end[k]);
    }
    spend(Phase::launch, begin_);
    std::reverse(path_.steps.begin(), path_.steps.end());
    return std::move(path_);
  }

 private:
  // The kernel whose end let this one launch last, or -1.
  [[nodiscard]] std::int64_t released_by(std::uint32_t k) const {
    const Kernel& kernel = plan_.kernels[k];
    std::int64_t last = kernel.after;
    Instant released =
        last < 0 ? Instant{} : timeline_.kernel_end[std::size_t(last)] + kernel.delay;
    for (const KernelEdge& edge : plan_.kernel_edges) {
      if (edge.later.value != k) continue;
      const Instant then = timeline_.kernel_end[edge.earlier.index()] + edge.delay;
      if (last >= 0 && then <= released) continue;
      last = edge.earlier.value;
      released = then;
    }
    return last;
  }
  [[nodiscard]] const Kernel& kernel_of(std::uint32_t agent) const {
    return plan_.kernels[plan_.ctas[plan_.agents[agent].cta.index()].kernel.index()];
  }

  // Moves back to `start`: the time from there on belongs to `phase`.
  void spend(Phase phase, Instant start) {
    const Instant from = std::max(start, begin_);
    if (from >= at_) return;
    path_.by_phase[static_cast<std::size_t>(phase)] += at_ - from;
    const RankId rank = plan_.rank_of(plan_.agents[agent_]);
    if (!path_.steps.empty() && path_.steps.back().phase == phase &&
        path_.steps.back().rank == rank)
      path_.steps.back().start = from;
    else
      path_.steps.push_back({phase, rank, from, at_});
    at_ = from;
  }

  // From the end of a kernel to the agent that held it up.
  void enter_kernel(std::uint32_t k) {
    const Instant last = at_ - std::min(at_ - Instant{}, plan_.kernels[k].finish_overhead);
    continue_with(causes_.last_agent(k));
    spend(Phase::launch, last);
  }

  // After the last operation of an agent.
  void continue_with(std::uint32_t agent) {
    agent_ = agent;
    next_ = plan_.agents[agent].first_operation + plan_.agents[agent].operation_count;
  }

  // After operation `i`, whoever runs it.
  void continue_after(std::uint32_t i) {
    agent_ = causes_.agent_of(i);
    next_ = i + 1;
  }

  // One operation, or one start of a CTA, towards the beginning. False where a kernel was launched.
  bool step_back() {
    if (next_ == plan_.agents[agent_].first_operation) return leave_cta();
    const std::uint32_t i = --next_;
    const Operation& operation = plan_.operations[i];
    const Instant start = timeline_.start[i];
    switch (operation.kind) {
      case OpKind::wait:
      case OpKind::barrier:
        step_over_meeting(operation, i);
        break;
      case OpKind::put: {
        const Instant alone = start + std::min(at_ - start, Duration{operation.time});
        spend(Phase::wire, alone);
        spend(operation.phase, start);
        break;
      }
      default:
        spend(operation.phase, start);
    }
    return true;
  }

  void step_over_meeting(const Operation& operation, std::uint32_t i) {
    const Instant released =
        std::max(timeline_.start[i], timeline_.end[i] - Duration{operation.time});
    spend(operation.phase, released);
    if (released <= timeline_.start[i]) return;  // it did not block
    const std::uint32_t cause = operation.kind == OpKind::barrier
                                    ? causes_.last_arrival(operation.target, released)
                                    : causes_.filler(operation.target, operation.count);
    const Operation& let_go = plan_.operations[cause];
    if (operation.kind == OpKind::barrier) {
      agent_ = causes_.agent_of(cause);
      next_ = cause;  // before the member's own barrier, at which it arrived at this instant
      return;
    }
    continue_after(cause);
    if (let_go.kind == OpKind::load) {
      spend(let_go.phase, timeline_.start[cause]);
      next_ = cause;
    } else if (let_go.kind == OpKind::post_signal) {
      // Beyond what a small message takes, it waited behind the data of its queue pair.
      spend(Phase::signal, timeline_.end[cause] - (plan_.nic.latency + plan_.nic.atomic));
      spend(Phase::wire, timeline_.start[cause] + Duration{let_go.time});
    } else {
      spend(Phase::signal, timeline_.end[cause]);
    }
  }

  // The CTA waited for room on an SM, or was placed when its kernel was launched.
  bool leave_cta() {
    const Kernel& kernel = kernel_of(agent_);
    const auto k = static_cast<std::size_t>(&kernel - plan_.kernels.data());
    const Instant placed = timeline_.agent_start[agent_] - kernel.start_overhead;
    spend(Phase::launch, placed);
    if (placed <= timeline_.kernel_start[k]) return false;
    const std::uint32_t left = causes_.agent_that_ended(kernel.rank, placed);
    if (left == CauseIndex::kNobody) return false;
    continue_with(left);
    return true;
  }

  const Plan& plan_;
  const Timeline& timeline_;
  CauseIndex causes_;
  CriticalPath path_;
  Instant begin_{};  // the last rank's start
  Instant at_{};     // everything after this is told
  std::uint32_t agent_ = 0;
  std::uint32_t next_ = 0;  // the operation that `at_` comes right before
};

}  // namespace

CriticalPath critical_path(const Plan& plan, const Timeline& timeline, const Topology& topology) {
  return PathWalker(plan, timeline, topology).walk();
}

}  // namespace epsim
