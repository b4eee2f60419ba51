#include "cli/recorded_stages.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "models/step_units.hpp"
#include "models/traced_schedule.hpp"
#include "models/traced_step.hpp"
#include "sim/disentangle.hpp"
#include "sim/replay_report.hpp"
#include "sim/step_run.hpp"

namespace epsim {
namespace {

// Above this share of hidden communication, kernels' times have in them what others did to them.
constexpr double kOverlapping = 5.0;

}  // namespace

StageTimes recorded_stages(const RecordedStep& recorded, const ConstantSet& constants) {
  const KernelClassTable classes = KernelClassTable::built_in();
  std::vector<GpuTrace> traces;
  traces.push_back(read_gpu_trace(recorded.file));
  const ReplayReport report = replay_report(std::move(traces), classes, 0);
  const RankReplay& rank = report.ranks.front();
  const TracedSteps steps = traced_steps(rank.trace, classes, rank.use.devices.front().device);
  std::vector<GpuStep> recorded_steps;
  double overlap_pct = 0;
  for (const TracedStep& step : steps.steps) {
    recorded_steps.push_back(step.step);
    overlap_pct = std::max(overlap_pct, run_step(step.step, constants).overlap_pct());
  }
  GpuStep alone = step_alone(recorded_steps, constants);
  alone.rank_count = rank.trace.rank_count.value_or(1);
  const StepUnits units = find_units(alone, 0, recorded.file);
  if (overlap_pct > kOverlapping) alone = disentangled(alone, units, constants);
  return stage_times(alone,
                     units,
                     recorded.tokens,
                     recorded.context,
                     std::filesystem::path(recorded.file).filename().string());
}

}  // namespace epsim
