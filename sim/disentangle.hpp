// disentangle: the times that tasks would take alone, from a recorded step in which exchanges and
// compute ran side by side and slowed each other. The two-batch schedule is played with a guess of
// them, and each is corrected until the play gives the recorded times.
#pragma once

#include "models/constants.hpp"
#include "models/gpu_step.hpp"
#include "models/step_units.hpp"

namespace epsim {

// `step` as step_alone gives it: the times are the recorded ones. Tasks at equal places of a unit
// are taken as equal, so that the times that come out are medians over layers and micro-batches (of
// exchanges the least, because the others hold waits for peers).
[[nodiscard]] GpuStep disentangled(const GpuStep& step,
                                   const StepUnits& units,
                                   const ConstantSet& constants);

}  // namespace epsim
