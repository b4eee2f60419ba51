#include "sim/step_prediction.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "models/clock_law.hpp"
#include "models/step_units.hpp"
#include "models/traced_schedule.hpp"
#include "sim/disentangle.hpp"

namespace epsim {
namespace {

constexpr std::uint64_t kSeeds = 9;
// Passes that a clock needs to agree with the step it makes.
constexpr int kPasses = 6;
// A judgement: more than twice what predictions of the two open two-batch dumps are off, to which
// constants were fitted (validation.md).
constexpr double kModelError = 0.04;
// Above this a dump's times have in them what kernels did to each other.
constexpr double kOverlapping = 5.0;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

StepTimes times_of(const StepRun& run) {
  return {to_us(run.step), to_us(run.communication), to_us(run.exposed()), run.overlap_pct()};
}

// Plays of one step that differ in the ranks' small differences.
class Plays {
 public:
  Plays(const GpuStep& step, const ConstantSet& constants, StepConditions conditions) {
    const std::uint64_t count = planned_ranks(step) == 1 ? 1 : kSeeds;
    for (conditions.seed = 0; conditions.seed < count; ++conditions.seed)
      runs_.push_back(run_step(step, constants, conditions));
    std::sort(runs_.begin(), runs_.end(), [](const StepRun& a, const StepRun& b) {
      return a.step < b.step;
    });
  }
  [[nodiscard]] const StepRun& middle() const { return runs_[runs_.size() / 2]; }
  [[nodiscard]] Duration least() const { return runs_.front().step; }
  [[nodiscard]] Duration most() const { return runs_.back().step; }
  [[nodiscard]] StepTimes times() const {
    std::array<std::vector<double>, 4> all;
    for (const StepRun& run : runs_) {
      const StepTimes times = times_of(run);
      all[0].push_back(times.step_us);
      all[1].push_back(times.communication_us);
      all[2].push_back(times.exposed_us);
      all[3].push_back(times.overlap_pct);
    }
    return {median(all[0]), median(all[1]), median(all[2]), median(all[3])};
  }

 private:
  std::vector<StepRun> runs_;
};

// A step at the clock that the power limit leaves it.
struct Settled {
  double clock = 1;  // over the recorded one
  Plays plays;
};

// Nothing shares anything: streams, order and events alone.
StepTimes hidden_for_free(GpuStep step, const ConstantSet& constants) {
  step.as_recorded = true;
  return times_of(run_step(step, constants));
}

// `scale`: of the model's times to measured ones, whose shares draw the power.
Settled settle(const GpuStep& step,
               double recorded_clock,
               double scale,
               const ConstantSet& constants) {
  StepConditions conditions{
      .clock = 1,
      .top_clock = recorded_clock,
      .runs_beside = hidden_for_free(step, constants).overlap_pct > kOverlapping};
  for (int pass = 0; pass < kPasses; ++pass) {
    const Duration time = from_us(scale * to_us(run_step(step, constants, conditions).step));
    // Half way, because a lower clock makes a longer step, which leaves more power.
    conditions.top_clock =
        0.5 *
        (conditions.top_clock + clock_under_load(power_use(step, time), recorded_clock, constants));
    conditions.clock = conditions.top_clock / recorded_clock;
  }
  return {conditions.clock, Plays(step, constants, conditions)};
}

// The recorded steps played again: what is between two of them is the host's.
StepPrediction as_recorded(const TracedSteps& recorded, const ConstantSet& constants) {
  StepPrediction result;
  std::array<std::vector<double>, 4> all;
  const std::size_t first = recorded.steps.size() > 1 ? 1 : 0;
  for (std::size_t i = first; i < recorded.steps.size(); ++i) {
    const TracedStep& traced = recorded.steps[i];
    result.run = run_step(traced.step, constants);
    const StepTimes times = times_of(result.run);
    all[0].push_back(times.step_us + to_us(traced.time - traced.span));
    all[1].push_back(times.communication_us);
    all[2].push_back(times.exposed_us);
    all[3].push_back(times.overlap_pct);
  }
  result.times = {median(all[0]), median(all[1]), median(all[2]), median(all[3])};
  result.low_us = *std::min_element(all[0].begin(), all[0].end());
  result.high_us = *std::max_element(all[0].begin(), all[0].end());
  result.step = recorded.steps.back().step;
  return result;
}

GpuStep edited(GpuStep step, const StepQuestion& question, std::vector<std::string>& notes) {
  if (!question.edits) return step;
  EditedStep result = question.edits->apply(std::move(step), question.replacement);
  notes.insert(notes.end(), result.changes.begin(), result.changes.end());
  return std::move(result.step);
}

// Of the recorded steps, how far the model is from what was measured, as a factor.
double own_error(const GpuStep& step,
                 double clock,
                 bool runs_beside,
                 double recorded_us,
                 const ConstantSet& constants) {
  const Plays again(step, constants, {.clock = 1, .top_clock = clock, .runs_beside = runs_beside});
  return recorded_us / again.times().step_us;
}

// The question's schedule of the edited step.
GpuStep scheduled(GpuStep step,
                  const StepQuestion& question,
                  const std::string& file,
                  std::vector<std::string>& notes) {
  step = edited(std::move(step), question, notes);
  if (question.schedule == StepSchedule::recorded) return step;
  const StepUnits units = find_units(step, question.micro_batches, file);
  notes.push_back(units.evidence);
  return question.schedule == StepSchedule::tbo ? two_batch_schedule(step, units)
                                                : serial_schedule(step, units);
}

}  // namespace

StepPrediction predict_step(const TracedSteps& recorded,
                            const StepQuestion& question,
                            const ConstantSet& constants,
                            const std::string& file) {
  StepPrediction result = as_recorded(recorded, constants);
  result.recorded_us = to_us(recorded.measured());
  result.step_count = recorded.steps.size();
  if (question.schedule == StepSchedule::recorded && !question.edits) return result;
  const bool overlapped = result.times.overlap_pct > kOverlapping;
  std::vector<GpuStep> steps;
  for (const TracedStep& traced : recorded.steps) steps.push_back(traced.step);
  GpuStep alone = step_alone(steps, constants);
  alone.rank_count = question.rank_count;
  GpuStep again = alone;  // what was recorded, for the model to play
  if (overlapped || question.schedule != StepSchedule::recorded) {
    const StepUnits units = find_units(alone, question.micro_batches, file);
    if (overlapped) alone = disentangled(alone, units, constants);
    again = overlapped ? two_batch_schedule(alone, units) : serial_schedule(alone, units);
  }
  if (overlapped)
    result.notes.emplace_back(
        "recorded kernels overlapped; the times that they take alone are those with which the "
        "model gives the recorded ones");
  const double clock = recorded_clock(power_use(alone, recorded.measured()), constants);
  // The model's own error on what was recorded is not the other schedule's.
  const double scale = own_error(again, clock, overlapped, result.recorded_us, constants);
  if (overlapped && question.schedule == StepSchedule::recorded) alone = std::move(again);
  result.notes.push_back(
      fmt::format("the model plays the recorded step in {:.1f} us where {:.1f} us were measured; "
                  "times are scaled by {:.3f}",
                  result.recorded_us / scale,
                  result.recorded_us,
                  scale));
  result.step = scheduled(std::move(alone), question, file, result.notes);
  const Settled settled = settle(result.step, clock, scale, constants);
  result.clock = settled.clock;
  result.run = settled.plays.middle();
  result.times = settled.plays.times();
  for (double* us :
       {&result.times.step_us, &result.times.communication_us, &result.times.exposed_us})
    *us *= scale;
  result.low_us = scale * to_us(settled.plays.least()) * (1.0 - kModelError);
  result.high_us = scale * to_us(settled.plays.most()) * (1.0 + kModelError);
  if (question.schedule == StepSchedule::tbo) result.free = hidden_for_free(result.step, constants);
  return result;
}

}  // namespace epsim
