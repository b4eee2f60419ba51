// step_plan: a GpuStep as a Plan. What tasks do to each other comes from what they share:
//   SMs      a kernel takes the SMs that others leave free, and clusters only neighbouring ones; a
//            persistent kernel keeps them until its tiles are done, so that communication which
//            comes behind it waits, and it runs on the rest when communication came first
//   memory   shares of its rate add up; beyond 1, the largest takers get less
//   clocks   fall with the power that a schedule draws (models/clock_law.hpp)
//   peers    communication begins when every rank has come, and ends for all together; ranks differ
//            by a little, so who comes first at an SM differs from rank to rank
#pragma once

#include <cstdint>

#include "models/gpu_step.hpp"
#include "models/plan.hpp"
#include "models/step_constants.hpp"

namespace epsim {

struct StepConditions {
  double clock = 1;        // of the SMs, over what tasks had when their times were taken
  double top_clock = 1;    // the same over the top clock: below it, ranks differ
  std::uint64_t seed = 0;  // of the ranks' small differences
  // Exchanges on streams of their own run beside compute and pay for it. Not so where events keep
  // everything in one row after all.
  bool runs_beside = true;
  // A kernel of more waves is cut into this many: what the last one leaves empty no longer counts.
  std::uint32_t most_waves = 16;
  // The same of a persistent kernel, which pays for each round.
  std::uint32_t most_rounds = 48;
};

// Ranks that a plan holds: more than these say nothing new.
inline constexpr std::uint32_t kMostStepRanks = 8;
[[nodiscard]] std::uint32_t planned_ranks(const GpuStep& step);

// Task i on rank r is kernel i * planned_ranks + r.
// `constants` are those of step_constants().
[[nodiscard]] Plan plan_step(const GpuStep& step,
                             const ConstantSet& constants,
                             const StepConditions& conditions = {});

}  // namespace epsim
