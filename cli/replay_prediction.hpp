// replay_prediction: a recorded step as recorded, under another schedule, or after edits.
#pragma once

#include <cstdint>
#include <string>

#include "sim/replay_report.hpp"
#include "sim/step_prediction.hpp"

namespace epsim {

struct ReplayQuestion {
  std::string schedule;  // "serial", "tbo"; empty: as recorded
  std::string rules;     // file of epsim.whatif/1; empty: none
  std::string system = "hgx-h200";
  std::uint32_t micro_batches = 0;
  std::uint32_t steps = 0;

  [[nodiscard]] bool is_asked() const { return !schedule.empty() || !rules.empty(); }
};

// Of the report's first rank and device. Throws InputError.
[[nodiscard]] StepPrediction predict_replay(const ReplayReport& report,
                                            const ReplayQuestion& question);
[[nodiscard]] ReplayPrediction replay_prediction(const StepPrediction& prediction,
                                                 const ReplayQuestion& question);

}  // namespace epsim
