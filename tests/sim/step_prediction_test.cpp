#include "sim/step_prediction.hpp"

#include <cmath>
#include <filesystem>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "tests/support/hand_made_step.hpp"
#include "tests/support/round_step_constants.hpp"
#include "traces/gpu_trace.hpp"

using namespace epsim;

namespace {

// A layer of two micro-batches on one stream: attention of 100 us in two waves, a dispatch of 60
// on two of 8 SMs, experts of 100 in two waves, a combine of 60. 640 us in all.
HandMadeStep recorded_layer() {
  HandMadeStep made;
  for (int unit = 0; unit < 2; ++unit) {
    made.add("fmha", KernelClass::compute, "attention", 0, 100).cta_count = 16;
    made.exchange(0, 60);
    made.add("experts", KernelClass::compute, "other", 0, 100).cta_count = 16;
    made.exchange(0, 60);
  }
  made.step().as_recorded = true;
  return made;
}

TracedSteps traced(HandMadeStep made, double span_us) {
  TracedStep one;
  one.step = std::move(made.step());
  one.span = from_us(span_us);
  one.time = one.span;
  return {.steps = {one}, .evidence = "written by hand", .left_out = 0};
}

StepPrediction predicted(const TracedSteps& steps,
                         StepSchedule schedule,
                         const std::string& rules = "") {
  StepQuestion question;
  question.schedule = schedule;
  if (!rules.empty())
    question.edits = WhatIfRules::parse(R"({"schema": "epsim.whatif/1", "rules": [)" + rules + "]}",
                                        "rules.json");
  return predict_step(steps, question, round_step_constants(), "dump.json");
}

doctest::Approx about(double us) {
  return doctest::Approx(us).epsilon(1e-5);
}

// The dumps of real runs that lie beside this tree, or nothing.
const std::filesystem::path kDumps =
    std::filesystem::path(EPSIM_SOURCE_DIR) / "../shared/reference/traces";

bool dumps_are_there() {
  return std::filesystem::exists(kDumps / "truth.json");
}

bool has_dumps() {
  if (!dumps_are_there()) MESSAGE("skipped: no reference/traces beside this tree");
  return dumps_are_there();
}

TracedSteps steps_in(const std::string& file) {
  return traced_steps(read_gpu_trace((kDumps / file).string()), KernelClassTable::built_in(), 0);
}

StepPrediction of_dump(const std::string& file, StepSchedule schedule) {
  const GpuTrace trace = read_gpu_trace((kDumps / file).string());
  const TracedSteps steps = traced_steps(trace, KernelClassTable::built_in(), 0);
  StepQuestion question;
  question.schedule = schedule;
  question.rank_count = trace.rank_count.value_or(1);
  return predict_step(steps, question, load_step_constants("hgx-h200"), file);
}

struct Truth {
  double step_us = 0, overlap_pct = 0;
};

Truth truth_of(const std::string& file) {
  JsonObject root = JsonDocument::read(kDumps / "truth.json").root().object();
  for (const JsonValue& value : root.required("traces").array()) {
    JsonObject row = value.object();
    if (row.required("file").string() == file)
      return {row.required("step_us").number(), row.required("overlap_pct").number()};
  }
  FAIL("truth.json has no " << file);
  return {};
}

}  // namespace

TEST_CASE("step prediction: a recorded step plays as it was measured") {
  const StepPrediction result = predicted(traced(recorded_layer(), 640), StepSchedule::recorded);
  CHECK(result.times.step_us == about(640));
  CHECK(result.times.communication_us == about(240));
  CHECK(result.times.exposed_us == about(240));
  CHECK(result.times.overlap_pct == 0);
  CHECK(result.recorded_us == about(640));
  CHECK_FALSE(result.free.has_value());
}

TEST_CASE("step prediction: a serial step is predicted to be itself") {
  // The host left 60 us between kernels that the gaps do not show: the model's 640 are scaled.
  for (const double measured_us : {640.0, 700.0}) {
    const StepPrediction result =
        predicted(traced(recorded_layer(), measured_us), StepSchedule::serial);
    CHECK(result.times.step_us == about(measured_us));
    CHECK(result.times.overlap_pct == 0);
    CHECK(result.clock == 1);
    CHECK(result.low_us < measured_us);
    CHECK(result.high_us > measured_us);
  }
}

TEST_CASE("step prediction: two batches in turns, every start and end by hand") {
  const StepPrediction result = predicted(traced(recorded_layer(), 640), StepSchedule::tbo);
  // Attention A 0 to 100. B's first wave 100 to 150; dispatch A, queued at 105, takes two SMs at
  // 150 for 60 * 1.5 us, and leaves B's second wave six: 150 to 200, the last two to 250. Dispatch
  // B is queued at 255, behind the first wave of experts A: 300 to 390. Experts A 250 to 400, and
  // in the same way combine A, 60 * 2 us, 450 to 570 and experts B 400 to 550. Combine B follows.
  REQUIRE(result.run.start.size() == 8);
  const double expected[8][2] = {{0, 100},    // attention A
                                 {150, 240},  // dispatch A
                                 {100, 250},  // attention B
                                 {300, 390},  // dispatch B
                                 {250, 400},  // experts A
                                 {450, 570},  // combine A
                                 {400, 550},  // experts B
                                 {570, 690}};
  for (std::size_t i = 0; i < 8; ++i) {
    CAPTURE(i);
    CHECK(to_us(result.run.start[i] - Instant{}) == about(expected[i][0]));
    CHECK(to_us(result.run.end[i] - Instant{}) == about(expected[i][1]));
  }
  // Hidden: 90 + 90 + 100 of 90 + 90 + 120 + 120.
  CHECK(result.times.step_us == about(690));
  CHECK(result.times.communication_us == about(420));
  CHECK(result.times.exposed_us == about(140));
  CHECK(result.times.overlap_pct == about(100.0 * 280 / 420));
  // Power: 0.2 + 200/690 * 1 + 200/690 * 0.4 + 240/690 * 0.2 is far from 1.
  CHECK(result.clock == 1);
  CHECK(result.low_us == about(690 * 0.96));
  CHECK(result.high_us == about(690 * 1.04));
  // For free: four times 100 us of compute, then combine B. 180 of 240 us are hidden.
  REQUIRE(result.free.has_value());
  CHECK(result.free->step_us == about(460));
  CHECK(result.free->overlap_pct == about(75));
}

TEST_CASE("step prediction: edits come before the schedule") {
  const TracedSteps steps = traced(recorded_layer(), 640);
  const std::string rule = R"({"kernels": "^exchange$", "scale": 0.5})";
  // 2 * (100 + 30 + 100 + 30).
  CHECK(predicted(steps, StepSchedule::recorded, rule).times.step_us == about(520));
  CHECK(predicted(steps, StepSchedule::serial, rule).times.step_us == about(520));
  CHECK(predicted(steps, StepSchedule::tbo, rule).free->step_us == about(430));
}

TEST_CASE("step prediction: a step in which no schedule can be found is told by its file") {
  HandMadeStep made;
  made.gemm(0, 10, 8);
  const TracedSteps steps = traced(made, 10);
  for (const StepSchedule schedule : {StepSchedule::serial, StepSchedule::tbo})
    CHECK_THROWS_WITH_AS(predicted(steps, schedule), doctest::Contains("dump.json"), InputError);
  CHECK(predicted(steps, StepSchedule::recorded).times.step_us == about(10));
}

TEST_CASE("step prediction: from serial dumps alone, two batches are 4 % and 5 points from truth") {
  if (!has_dumps()) return;
  const std::pair<std::string, std::string> pairs[] = {
      {"nccl_t4096_l3_serial_r0.json.gz", "nccl_t4096_l3_tbo_comm_r0.json.gz"},
      {"deepep_normal_t8192_sms24_serial_r0.json.gz", "deepep_normal_t8192_sms24_tbo_r0.json.gz"}};
  for (const auto& [serial, overlapped] : pairs) {
    CAPTURE(overlapped);
    const Truth truth = truth_of(overlapped);
    const StepPrediction result = of_dump(serial, StepSchedule::tbo);
    const double error_pct = 100 * (result.times.step_us / truth.step_us - 1);
    CAPTURE(error_pct);
    CAPTURE(result.times.overlap_pct);
    CHECK(std::abs(error_pct) < 4);
    CHECK(std::abs(result.times.overlap_pct - truth.overlap_pct) < 5);
    CHECK(result.low_us <= truth.step_us);
    CHECK(result.high_us >= truth.step_us);
    // What a model tells that lets kernels hide for nothing.
    REQUIRE(result.free.has_value());
    const double free_error_pct = 100 * (result.free->step_us / truth.step_us - 1);
    CAPTURE(free_error_pct);
    CHECK(free_error_pct < -10);
    CHECK(free_error_pct > -25);
    CHECK(result.free->overlap_pct > result.times.overlap_pct);
    // The same dump gives the same bytes.
    const StepPrediction again = of_dump(serial, StepSchedule::tbo);
    CHECK(again.times.step_us == result.times.step_us);
    CHECK(again.times.overlap_pct == result.times.overlap_pct);
    CHECK(again.clock == result.clock);
    CHECK(again.notes == result.notes);
    CHECK(again.run.start == result.run.start);
    CHECK(again.run.end == result.run.end);
  }
}

TEST_CASE("step prediction: each reference dump replays within 3 % of its own measured step") {
  if (!has_dumps()) return;
  JsonObject root = JsonDocument::read(kDumps / "truth.json").root().object();
  for (const JsonValue& value : root.required("traces").array()) {
    const std::string file = value.object().required("file").string();
    CAPTURE(file);
    const StepPrediction result = of_dump(file, StepSchedule::recorded);
    CHECK(result.times.step_us == doctest::Approx(result.recorded_us).epsilon(0.03));
    // truth.json has the overlap of both steps of a dump together.
    double communication_us = 0, hidden_us = 0;
    for (const TracedStep& traced : steps_in(file).steps) {
      const StepRun run = run_step(traced.step, load_step_constants("hgx-h200"));
      CHECK(to_us(run.step) == doctest::Approx(to_us(traced.span)));
      communication_us += to_us(run.communication);
      hidden_us += to_us(run.overlap);
    }
    CHECK(std::abs(100 * hidden_us / communication_us - truth_of(file).overlap_pct) < 0.1);
  }
}

TEST_CASE("step prediction: a serial dump is predicted to be itself, at its own clock") {
  if (!has_dumps()) return;
  for (const std::string file : {"nccl_t4096_l3_serial_r0.json.gz",
                                 "deepep_normal_t8192_sms24_serial_r0.json.gz",
                                 "deepep_ll_t128_serial_r0.json.gz"}) {
    CAPTURE(file);
    const StepPrediction result = of_dump(file, StepSchedule::serial);
    CHECK(result.clock == doctest::Approx(1).epsilon(0.005));
    CHECK(result.times.step_us == doctest::Approx(result.recorded_us).epsilon(0.005));
    CHECK(result.times.overlap_pct == 0);
  }
}
