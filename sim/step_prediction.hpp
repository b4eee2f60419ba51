// step_prediction: how long a recorded step takes as recorded, under another schedule, or after a
// user's edits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/constants.hpp"
#include "models/traced_step.hpp"
#include "models/what_if.hpp"
#include "sim/step_run.hpp"

namespace epsim {

enum class StepSchedule : std::uint8_t { recorded, serial, tbo };

struct StepQuestion {
  StepSchedule schedule = StepSchedule::recorded;
  std::uint32_t micro_batches = 0;   // that the recorded step has; 0: found
  std::optional<WhatIfRules> edits;  // of the recorded step, before the schedule
  ReplacementTime replacement;
  std::uint32_t rank_count = 1;
};

// What a step takes; medians over the ranks' small differences.
struct StepTimes {
  double step_us = 0, communication_us = 0, exposed_us = 0, overlap_pct = 0;
};

struct StepPrediction {
  StepTimes times;
  double low_us = 0, high_us = 0;  // of the step
  // The same schedule where nothing slows anything down: what hiding for free would give.
  std::optional<StepTimes> free;
  std::size_t step_count = 0;      // that the dump holds
  double recorded_us = 0;          // the measured step
  double clock = 1;                // of the SMs, over the recorded one: the power limit's answer
  GpuStep step;                    // that was played
  StepRun run;                     // one play of it, for a picture
  std::vector<std::string> notes;  // how it came about, a sentence each
};

// Throws InputError, naming `file`, when the schedule cannot be found in the step.
[[nodiscard]] StepPrediction predict_step(const TracedSteps& recorded,
                                          const StepQuestion& question,
                                          const ConstantSet& constants,
                                          const std::string& file);

}  // namespace epsim
