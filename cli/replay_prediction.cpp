#include "cli/replay_prediction.hpp"

#include <algorithm>

#include "models/calibration.hpp"
#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/prediction.hpp"
#include "sim/scenario.hpp"
#include "sim/scenario_reach.hpp"

namespace epsim {
namespace {

// What a rule replaces a kernel by: the latency of a scenario's dispatch or combine.
Duration scenario_latency(const ReplacementSpec& spec) {
  const Scenario scenario = load_scenario(spec.scenario);
  const Calibration calibration = load_calibration(scenario.calibration);
  require_network(scenario, calibration);
  const KernelFamily& family = calibration.family(scenario.kernel);
  const MoeOperation operation =
      spec.operation == "combine" ? MoeOperation::combine : MoeOperation::dispatch;
  return predict(operation,
                 make_workload(scenario),
                 *find_family(scenario.kernel),
                 calibration.hardware,
                 family.constants)
      .latency;
}

}  // namespace

StepPrediction predict_replay(const ReplayReport& report, const ReplayQuestion& question) {
  const RankReplay& rank = report.ranks.front();
  StepQuestion asked{.schedule = question.schedule == "tbo"      ? StepSchedule::tbo
                                 : question.schedule == "serial" ? StepSchedule::serial
                                                                 : StepSchedule::recorded,
                     .micro_batches = question.micro_batches,
                     .edits = {},
                     .replacement = &scenario_latency,
                     .rank_count = rank.trace.rank_count.value_or(1)};
  if (!question.rules.empty()) asked.edits = WhatIfRules::read(question.rules);
  const TracedSteps steps =
      traced_steps(rank.trace, report.table, rank.use.devices.front().device, question.steps);
  StepPrediction prediction =
      predict_step(steps, asked, load_step_constants(question.system), rank.trace.file);
  prediction.notes.insert(prediction.notes.begin(), steps.evidence);
  return prediction;
}

ReplayPrediction replay_prediction(const StepPrediction& prediction,
                                   const ReplayQuestion& question) {
  ReplayPrediction shown{.schedule = question.schedule.empty() ? "as recorded" : question.schedule,
                         .step_us = prediction.times.step_us,
                         .communication_us = prediction.times.communication_us,
                         .overlap_pct = prediction.times.overlap_pct,
                         .exposed_us = prediction.times.exposed_us,
                         .low_us = prediction.low_us,
                         .high_us = prediction.high_us,
                         .recorded_us = prediction.recorded_us,
                         .clock = prediction.clock,
                         .notes = prediction.notes};
  if (!question.rules.empty())
    shown.schedule = question.schedule.empty() ? "the edited step" : question.schedule + " edited";
  if (prediction.free) {
    shown.free_step_us = prediction.free->step_us;
    shown.free_overlap_pct = prediction.free->overlap_pct;
  }
  return shown;
}

}  // namespace epsim
