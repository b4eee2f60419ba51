// step_run: a GpuStep played by the engine, and what came of it: when each task ran, how much of
// the communication compute hid.
#pragma once

#include <vector>

#include "models/constants.hpp"
#include "models/gpu_step.hpp"
#include "models/step_plan.hpp"
#include "sim/base/units.hpp"

namespace epsim {

struct StepRun {
  std::vector<Instant> start, end;  // one a task
  Duration step{};                  // first start to last end
  Duration communication{};         // union of communication tasks
  Duration compute{};               // union of compute tasks
  Duration overlap{};               // their intersection

  [[nodiscard]] Duration exposed() const { return communication - overlap; }
  // Share of the communication that some compute hides, %; 0 where there is none.
  [[nodiscard]] double overlap_pct() const {
    return communication.count() == 0 ? 0
                                      : 100.0 * static_cast<double>(overlap.count()) /
                                            static_cast<double>(communication.count());
  }
};

// What rank 0 sees. `constants` are those of step_constants().
[[nodiscard]] StepRun run_step(const GpuStep& step,
                               const ConstantSet& constants,
                               const StepConditions& conditions = {});

}  // namespace epsim
