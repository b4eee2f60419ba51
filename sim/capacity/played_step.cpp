#include "sim/capacity/played_step.hpp"

#include "models/clock_law.hpp"
#include "models/step_plan.hpp"
#include "models/step_schedule.hpp"
#include "sim/base/check.hpp"
#include "sim/step_run.hpp"

namespace epsim {
namespace {

// Passes that the clock and the step it makes need to agree.
constexpr int kClockPasses = 2;
// Coarser than a replay's: the step's time is the same within 1 %, and is there ten times sooner.
constexpr std::uint32_t kMostWaves = 4, kMostRounds = 12;

// Of tasks as they run alone: arithmetic draws tensor power, what waits for memory does not.
PowerUse power_of(const GpuStep& step, Duration time) {
  PowerUse use;
  for (const StepTask& task : step.tasks) {
    const double share = to_us(task.time) / to_us(time);
    if (task.kernel_class == KernelClass::communication) {
      use.communication += task.cta_count > 0 ? share : 0;
      continue;
    }
    const double arithmetic = uses_tensor_cores(task) ? task.clock_share : 0;
    use.tensor += share * arithmetic;
    use.memory += share * (1 - arithmetic);
  }
  return use;
}

ScheduledStep schedule_of(const MoeStep& step, const ServingSystem& system) {
  return schedule_step(step,
                       {.kind = ScheduleKind::tbo,
                        .order = QueueOrder::stages,
                        .stream_gap = system.calibration.hardware.duration("stream_gap"),
                        .event_hop = system.compute.overlap.duration("event_hop")});
}

// One sum and `times` times what another has beyond it.
PlayedStep extended(const PlayedStep& few, const PlayedStep& more, double times) {
  const auto sum = [times](double a, double b) { return a + times * (b - a); };
  PlayedStep all{.step_us = sum(few.step_us, more.step_us),
                 .compute_us = sum(few.compute_us, more.compute_us),
                 .communication_us = sum(few.communication_us, more.communication_us),
                 .overlap_us = sum(few.overlap_us, more.overlap_us)};
  for (std::size_t s = 0; s < all.stage_us.size(); ++s)
    all.stage_us[s] = sum(few.stage_us[s], more.stage_us[s]);
  return all;
}

}  // namespace

PlayedStep play_serial(const MoeStep& step, const ServingSystem& system) {
  const double gap = to_us(system.calibration.hardware.duration("stream_gap"));
  const auto time_at = [](const MoeTask& task, double clock) {
    return to_us(task.task.time) * (1 + task.task.clock_share * (1 / clock - 1));
  };
  GpuStep tasks;
  for (const MoeTask& task : step.tasks) tasks.tasks.push_back(task.task);
  const double gaps = gap * static_cast<double>(step.tasks.size() - 1);
  double clock = 1;
  PlayedStep played;
  for (int pass = 0; pass <= kClockPasses; ++pass) {
    played = {};
    for (const MoeTask& task : step.tasks) {
      const double us = time_at(task, clock);
      if (task.task.kernel_class != KernelClass::compute) {
        played.communication_us += us;
        continue;
      }
      played.compute_us += us;
      played.stage_us[static_cast<std::size_t>(task.stage)] += us;
    }
    played.step_us = played.compute_us + played.communication_us + gaps;
    // Half way, because a lower clock makes a longer step, which leaves more power.
    clock = 0.5 * (clock + clock_under_load(
                               power_of(tasks, from_us(played.step_us)), 1.0, system.compute.step));
  }
  return played;
}

StepConditions clock_of_turns(const MoeStep& step, const ServingSystem& system) {
  const ScheduledStep scheduled = schedule_of(step, system);
  const ConstantSet& constants = system.compute.step;
  StepConditions conditions{.most_waves = kMostWaves, .most_rounds = kMostRounds};
  for (int pass = 0; pass < kClockPasses; ++pass) {
    const Duration time = run_step(scheduled.step, constants, conditions).step;
    // Half way, because a lower clock makes a longer step, which leaves more power.
    conditions.clock =
        0.5 * (conditions.clock + clock_under_load(power_of(scheduled.step, time), 1.0, constants));
    conditions.top_clock = conditions.clock;
    if (conditions.clock > 0.999) break;
  }
  return conditions;
}

PlayedStep play_turns(const MoeStep& step,
                      const StepConditions& conditions,
                      const ServingSystem& system) {
  const ScheduledStep scheduled = schedule_of(step, system);
  const StepRun run = run_step(scheduled.step, system.compute.step, conditions);
  PlayedStep played{.step_us = to_us(run.step),
                    .compute_us = to_us(run.compute),
                    .communication_us = to_us(run.communication),
                    .overlap_us = to_us(run.overlap)};
  check(step.tasks.size() == scheduled.step.tasks.size(), "a schedule keeps all tasks");
  for (std::size_t i = 0; i < scheduled.step.tasks.size(); ++i)
    if (scheduled.step.tasks[i].kernel_class == KernelClass::compute)
      played.stage_us[static_cast<std::size_t>(scheduled.stages[i])] +=
          to_us(run.end[i] - run.start[i]);
  return played;
}

PlayedStep play_step(const MoeStep& few,
                     const MoeStep& more,
                     double times,
                     MicroBatching micro_batching,
                     const ServingSystem& system) {
  if (micro_batching == MicroBatching::none)
    return extended(play_serial(few, system), play_serial(more, system), times);
  const StepConditions conditions = clock_of_turns(few, system);
  return extended(play_turns(few, conditions, system), play_turns(more, conditions, system), times);
}

}  // namespace epsim
