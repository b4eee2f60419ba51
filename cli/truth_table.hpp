// Truth table: profiler dumps whose step time and overlap are known, and what replay makes of them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "sim/step_prediction.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

struct TruthDump {
  std::string file;  // lies beside the table
  std::string config, schedule;
  std::optional<double> truth_step_us;  // of the step without a profiler
  double truth_pct = 0;                 // overlap

  std::string families;  // of communication that were found
  double overlap_pct = 0;
  double recorded_us = 0;  // the dump's own step
  double played_us = 0;    // the same, played again
  std::string refusal;     // why it was not played; empty where it was

  [[nodiscard]] double difference() const { return overlap_pct - truth_pct; }
};

// One dump's step, predicted from another dump of the same configuration.
struct TruthForecast {
  std::size_t from = 0, of = 0;  // indices into TruthTable::dumps
  StepPrediction prediction;
  std::string refusal;  // why there is no prediction; empty where there is
};

struct TruthTable {
  std::vector<TruthDump> dumps;
  std::vector<TruthForecast> forecasts;

  // Of its truth, %, and points. Of a forecast that was made.
  [[nodiscard]] double step_error_pct(const TruthForecast& forecast, double step_us) const {
    return 100.0 * (step_us / *dumps[forecast.of].truth_step_us - 1.0);
  }
  [[nodiscard]] double points(const TruthForecast& forecast, double overlap_pct) const {
    return overlap_pct - dumps[forecast.of].truth_pct;
  }
};

// Reads the table at `path` and all its dumps, and predicts each two-batch step from its serial one
// and the other way with the constants of `system`. Throws InputError for a table or dump that
// cannot be read.
[[nodiscard]] TruthTable replay_truth_table(const std::string& path,
                                            const KernelClassTable& classes,
                                            const std::string& system);

}  // namespace epsim
