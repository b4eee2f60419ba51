#include "sim/step_run.hpp"

#include <algorithm>

#include "models/step_plan.hpp"
#include "sim/execute.hpp"
#include "topologies/registry.hpp"
#include "traces/intervals.hpp"

namespace epsim {
namespace {

// Who meets whom costs a signal's time (step_constants); the fabric adds a hop, whose is no matter.
const Topology& meeting_place() {
  static const Topology topology = load_topology("hgx-h200").topology;
  return topology;
}

}  // namespace

StepRun run_step(const GpuStep& step,
                 const ConstantSet& constants,
                 const StepConditions& conditions) {
  StepRun run;
  if (step.tasks.empty()) return run;
  const Plan plan = plan_step(step, constants, conditions);
  const Timeline timeline = execute(plan, meeting_place());
  const std::uint32_t ranks = planned_ranks(step);
  std::vector<Interval> communication, compute;
  Instant first = Instant::max(), last{};
  for (std::size_t i = 0; i < step.tasks.size(); ++i) {
    const Instant start = timeline.kernel_start[i * ranks];
    const Instant end = timeline.kernel_end[i * ranks];
    run.start.push_back(start);
    run.end.push_back(end);
    first = std::min(first, start);
    last = std::max(last, end);
    if (step.tasks[i].kernel_class == KernelClass::communication)
      communication.push_back({start, end});
    else if (step.tasks[i].kernel_class == KernelClass::compute)
      compute.push_back({start, end});
  }
  const IntervalSet exchanged(std::move(communication)), computed(std::move(compute));
  run.step = last - first;
  run.communication = exchanged.length();
  run.compute = computed.length();
  run.overlap = exchanged.intersection(computed).length();
  return run;
}

}  // namespace epsim
