// modelled_step: from a scenario with a schedule to its tasks, each with the time that it takes
// alone, and to the GpuStep of any schedule over them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/calibration.hpp"
#include "models/gpu_step.hpp"
#include "models/moe_step.hpp"
#include "models/step_schedule.hpp"
#include "sim/scenario.hpp"

namespace epsim {

struct ModelledStep {
  MoeStep step;
  std::int64_t tokens = 0;  // of one micro-batch and rank
  // Of launches, for every schedule alike.
  Duration stream_gap{}, event_hop{}, launch_call{};
};

// Predicts the exchange at a micro-batch's tokens by the scenario's kernel family, or the gather of
// rows by the collectives' law, and takes compute from the calibration. The rank's experts are
// those of the busiest rank. Throws InputError where the calibration knows no compute.
[[nodiscard]] ModelledStep model_step(const Scenario& scenario, const Calibration& calibration);

// The tasks on streams, as a schedule puts them.
[[nodiscard]] ScheduledStep scheduled_step(const ModelledStep& modelled,
                                           const ScheduleSpec& schedule);

}  // namespace epsim
