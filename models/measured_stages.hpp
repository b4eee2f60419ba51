// measured_stages: times of a layer's compute that a user has measured, or that a recorded step
// shows, in the place of the laws'. The laws say how times change between and beyond the measured
// places: what is taken from a measurement is its ratio to the law.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "models/gpu_step.hpp"
#include "models/moe_step.hpp"
#include "models/step_units.hpp"
#include "sim/base/json.hpp"

namespace epsim {

// Compute of one layer and micro-batch on one rank. A profile may not tell two stages apart: then
// they have one time.
struct StageRow {
  std::set<StepStage> stages;
  std::int64_t tokens = 0;   // of the attention group and micro-batch
  std::int64_t context = 0;  // keys of a sequence before its first token
  double time_us = 0;
  double law_us = 0;  // what the laws say; 0: not asked yet
};

struct StageTimes {
  std::string source;
  std::vector<StageRow> rows;
};

// An epsim.compute_times/1 file: {"schema", "source", "rows": [{"stage", "tokens", "context",
// "time_us"}]}. A stage is "attention", "gate", "experts", "shared", "combine sum", or some of them
// with " and " between. Throws InputError.
[[nodiscard]] StageTimes read_stage_times(const JsonDocument& document);
[[nodiscard]] StageTimes load_stage_times(std::string_view path);
[[nodiscard]] std::string stage_times_text(const StageTimes& times);  // as a file

// Of a recorded step whose times are those that kernels take alone (step_alone()): means over its
// layers and micro-batches. Tokens and context are what it was recorded with. Units tell attention
// from the gate no more than shared experts from the sum behind the combine.
[[nodiscard]] StageTimes stage_times(const GpuStep& step,
                                     const StepUnits& units,
                                     std::int64_t tokens,
                                     std::int64_t context,
                                     std::string source);

// The step that the laws give for so many tokens and so much context.
using LawOfStages = std::function<MoeStep(std::int64_t tokens, std::int64_t context)>;
// Asks the law at every row's place. Rows of stages that this model does not have are taken out and
// named, "shared at 128 tokens, context 4096".
[[nodiscard]] std::vector<std::string> set_laws(StageTimes& times, const LawOfStages& law);

// Multiplies the compute of measured stages by measured over law: on straight lines over the
// logarithm of tokens between rows of one context, and over the logarithm of context between those;
// beyond the ends, the end's ratio. After set_laws().
void apply_measured(MoeStep& step,
                    const StageTimes& times,
                    std::int64_t tokens,
                    std::int64_t context);

}  // namespace epsim
