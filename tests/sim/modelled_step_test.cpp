#include "sim/modelled_step.hpp"

#include <string>

#include <doctest/doctest.h>

#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/step_report.hpp"
#include "sim/step_trace.hpp"
#include "tests/support/list_scheduler.hpp"

using namespace epsim;

namespace {

Scenario load_seed(const std::string& name) {
  return load_scenario(EPSIM_SOURCE_DIR "/examples/seeds/" + name);
}

const MoeTask& task_of(const MoeStep& step, const std::string& name) {
  for (const MoeTask& task : step.tasks)
    if (task.task.name == name) return task;
  FAIL("no task ", name);
  return step.tasks.front();
}

// Of a scenario's own schedule.
struct Outcome {
  Duration step;
  double overlap_pct;
};
Outcome outcome(const Scenario& scenario) {
  const Calibration calibration = load_calibration(scenario.calibration);
  const ScheduledStep scheduled =
      scheduled_step(model_step(scenario, calibration), *scenario.schedule);
  const StepRun run = run_step(scheduled.step, load_step_constants("hgx-h200"));
  return {run.step, overlap_of(scheduled, run, CountedKernels::all).percent()};
}

}  // namespace

TEST_CASE("modelled step: sliced experts gather all rows and reduce twice as many bytes") {
  const Scenario scenario = load_seed("s3_step_before.json");
  const Calibration calibration = load_calibration(scenario.calibration);
  const ModelledStep modelled = model_step(scenario, calibration);
  CHECK(modelled.tokens == 4096);
  const double fixed = calibration.overlap.at("exchange_fixed").value;
  const double rate = calibration.overlap.at("link_rate_20").value * 1e3;  // bytes a us
  // 7 other ranks send 4096 rows of 7168 BF16 numbers: 411 MB.
  const double bytes = 7.0 * 4096 * 7168 * 2;
  CHECK(to_us(task_of(modelled.step, "all-gather of rows").task.time) ==
        doctest::Approx(fixed + bytes / rate));
  CHECK(to_us(task_of(modelled.step, "all-reduce of the output").task.time) ==
        doctest::Approx(fixed + 2 * bytes / rate));
  // Ids are the step's input: their gather waits for nothing.
  CHECK(task_of(modelled.step, "all-gather of ids").needs.empty());
}

TEST_CASE("S3: collectives on the compute stream leave at most 10 % of communication hidden") {
  const Outcome before = outcome(load_seed("s3_step_before.json"));
  const Outcome after = outcome(load_seed("s3_step_after.json"));
  CHECK(before.overlap_pct <= 10);
  CHECK(after.overlap_pct >= 85);
  CHECK(after.step < before.step);
}

TEST_CASE("S3: the two scenarios differ in the kind of their schedule alone") {
  Scenario before = load_seed("s3_step_before.json");
  const Scenario after = load_seed("s3_step_after.json");
  before.schedule->kind = ScheduleKind::tbo_aux;
  before.name = after.name;
  const auto written = [](const Scenario& scenario) {
    JsonWriter writer;
    write_scenario(scenario, writer);
    return writer.take();
  };
  CHECK(written(before) == written(after));
}

TEST_CASE("S3: stream order and the communicator are what its mechanisms name") {
  Scenario scenario = load_seed("s3_step_before.json");
  scenario.schedule->layers = 2;
  const ModelledStep modelled = model_step(scenario, load_calibration(scenario.calibration));
  std::vector<StepVariant> variants = step_variants(*scenario.schedule);
  // As one works it out on paper: which task waits for which does not hang on contention.
  for (StepVariant& variant : variants) {
    const ScheduledStep scheduled = scheduled_step(modelled, variant.schedule);
    const StepRun run = list_schedule(scheduled.step);
    variant.step = run.step;
    variant.counted = overlap_of(scheduled, run, variant.schedule.counted);
  }
  const auto mechanisms = step_mechanisms(*scenario.schedule, variants);
  REQUIRE(mechanisms.size() >= 2);
  CHECK(mechanisms[0].what.starts_with("stream order"));
  CHECK(mechanisms[1].what.starts_with("one communicator"));
  CHECK(mechanisms[1].overlap_pct > 30);
}

TEST_CASE("modelled step: a calibration without constants of GEMMs is an error that says so") {
  const Scenario scenario = load_seed("s3_step_before.json");
  CHECK_THROWS_WITH_AS((void)model_step(scenario, load_calibration("gb200-nvl72")),
                       "calibration gb200-nvl72: /overlap: expected constants of GEMMs for a "
                       "schedule's compute, found none; see epsim calibrate overlap",
                       InputError);
}

TEST_CASE("step trace: each stream is a track and each task a slice of it") {
  GpuStep step;
  step.streams = {"compute", "communication"};
  step.tasks.resize(2);
  step.tasks[0].name = "attention";
  step.tasks[0].time = from_us(10);
  step.tasks[1].name = "dispatch";
  step.tasks[1].stream = 1;
  step.tasks[1].time = from_us(8);
  step.tasks[1].after = {0};
  const std::string text = step_trace("small", step, list_schedule(step));
  CHECK(text.find(R"("thread_name")") != std::string::npos);
  CHECK(text.find(R"("name": "attention")") != std::string::npos);
  CHECK(text.find(R"("ts": 10.000)") != std::string::npos);
  CHECK(text.find("attention of compute") != std::string::npos);
}
