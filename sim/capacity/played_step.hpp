// PlayedStep: a model's layers as they ran: the time of a step, of what it holds, and how much of
// its communication compute hid.
#pragma once

#include <array>

#include "models/deployment.hpp"
#include "models/moe_step.hpp"
#include "models/step_plan.hpp"
#include "sim/capacity/serving_system.hpp"

namespace epsim {

// Sums that grow with the layers.
struct PlayedStep {
  double step_us = 0, compute_us = 0, communication_us = 0, overlap_us = 0;
  std::array<double, kStepStageNames.size()> stage_us{};  // of compute, as it ran
};

// What `few` takes, and `times` times what `more` takes beyond that. One micro-batch runs on one
// stream, two take turns; clocks are those that the power limit leaves.
[[nodiscard]] PlayedStep play_step(const MoeStep& few,
                                   const MoeStep& more,
                                   double times,
                                   MicroBatching micro_batching,
                                   const ServingSystem& system);

// One stream: its tasks one after the other. The engine gives the same; this takes a thousandth of
// its time.
[[nodiscard]] PlayedStep play_serial(const MoeStep& step, const ServingSystem& system);
// Two micro-batches by the engine. `conditions` come from clock_of_turns() of such a step.
[[nodiscard]] PlayedStep play_turns(const MoeStep& step,
                                    const StepConditions& conditions,
                                    const ServingSystem& system);
[[nodiscard]] StepConditions clock_of_turns(const MoeStep& step, const ServingSystem& system);

}  // namespace epsim
