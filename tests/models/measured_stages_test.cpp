#include "models/measured_stages.hpp"

#include <cmath>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/support/hand_made_units.hpp"

using namespace epsim;

namespace {

StageTimes read(const std::string& rows) {
  return read_stage_times(JsonDocument::parse(
      R"({"schema": "epsim.compute_times/1", "source": "own", "rows": [)" + rows + "]}",
      "times.json"));
}

MoeTask task(StepStage stage, double us, std::int32_t layer = 0) {
  MoeTask made;
  made.stage = stage;
  made.task.time = from_us(us);
  made.task.layer = layer;
  made.task.micro_batch = 0;
  return made;
}

// Two layers; attention takes 2 us a token in two kernels, experts 10 us, shared experts none.
MoeStep law(std::int64_t tokens, std::int64_t /*context*/) {
  MoeStep step;
  for (std::int32_t layer = 0; layer < 2; ++layer) {
    step.tasks.push_back(task(StepStage::attention, static_cast<double>(tokens), layer));
    step.tasks.push_back(task(StepStage::attention, static_cast<double>(tokens), layer));
    step.tasks.push_back(task(StepStage::gate, 4, layer));
    step.tasks.push_back(task(StepStage::dispatch, 50, layer));
    step.tasks.back().task.kernel_class = KernelClass::communication;
    step.tasks.push_back(task(StepStage::experts, 10, layer));
  }
  return step;
}

std::vector<double> applied(StageTimes times, std::int64_t tokens, std::int64_t context) {
  CHECK(set_laws(times, law).empty());
  MoeStep step = law(tokens, context);
  apply_measured(step, times, tokens, context);
  std::vector<double> us;
  for (const MoeTask& one : step.tasks) us.push_back(to_us(one.task.time));
  return us;
}

std::string refusal(const std::string& rows) {
  try {
    (void)read(rows);
  } catch (const InputError& error) {
    return error.what();
  }
  return "read";
}

}  // namespace

TEST_CASE("measured stages: a measured place has the measured time, others the law's") {
  const StageTimes times =
      read(R"({"stage": "attention", "tokens": 100, "context": 0, "time_us": 300})");
  // 200 us by the law: each kernel times 1.5. Gate, dispatch and experts are not measured.
  CHECK(applied(times, 100, 0) == std::vector<double>{150, 150, 4, 50, 10, 150, 150, 4, 50, 10});
}

TEST_CASE("measured stages: ratios lie on lines over the logarithm, and stay beyond the ends") {
  // Ratios 300 / 200 = 1.5 at 100 tokens and 4000 / 1600 = 2.5 at 800.
  const StageTimes times =
      read(R"({"stage": "attention", "tokens": 100, "context": 0, "time_us": 300},
              {"stage": "attention", "tokens": 800, "context": 0, "time_us": 4000})");
  const double share = std::log(401.0 / 101) / std::log(801.0 / 101);
  CHECK(applied(times, 400, 0).front() == doctest::Approx(400 * (1.5 + share)));
  CHECK(applied(times, 10, 0).front() == doctest::Approx(10 * 1.5));
  CHECK(applied(times, 5000, 0).front() == doctest::Approx(5000 * 2.5));
}

TEST_CASE("measured stages: contexts are curves of their own, with lines between them") {
  // 1.5 without context, 3 at 1023 keys: half way in the logarithm of 32 = 31 + 1.
  const StageTimes times =
      read(R"({"stage": "attention", "tokens": 100, "context": 0, "time_us": 300},
              {"stage": "attention", "tokens": 100, "context": 1023, "time_us": 600})");
  CHECK(applied(times, 100, 31).front() == doctest::Approx(100 * 2.25));
}

TEST_CASE("measured stages: stages that were measured together share a ratio") {
  const StageTimes times =
      read(R"({"stage": "attention and gate", "tokens": 100, "context": 0, "time_us": 408})");
  // 2 * 100 + 4 us by the law, twice as long.
  const std::vector<double> us = applied(times, 100, 0);
  CHECK(us[0] == doctest::Approx(200));
  CHECK(us[2] == doctest::Approx(8));
  CHECK(us[4] == doctest::Approx(10));
}

TEST_CASE("measured stages: what the model does not have is taken out and named") {
  StageTimes times = read(
      R"({"stage": "shared and combine sum", "tokens": 100, "context": 7, "time_us": 5},
         {"stage": "experts", "tokens": 100, "context": 7, "time_us": 5})");
  CHECK(set_laws(times, law) ==
        std::vector<std::string>{"shared and combine sum at 100 tokens, context 7"});
  CHECK(times.rows.size() == 1);
}

TEST_CASE("measured stages: wrong tables are refused with their place") {
  const std::string good = R"("tokens": 1, "context": 0, "time_us": 5})";
  CHECK(refusal("").find("/rows") != std::string::npos);
  for (const std::string stage : {"dispatch", "attention and attention", "attention, gate", ""})
    CHECK(refusal(R"({"stage": ")" + stage + R"(", )" + good).find("/rows/0/stage") !=
          std::string::npos);
  CHECK(refusal(R"({"stage": "gate", "tokens": 0, "context": 0, "time_us": 5})")
            .find("/rows/0/tokens") != std::string::npos);
  CHECK(refusal(R"({"stage": "gate", "tokens": 1, "context": 0, "time_us": 0})")
            .find("/rows/0/time_us") != std::string::npos);
  const std::string twice = R"({"stage": "gate", )" + good + R"(, {"stage": "gate", )" + good;
  CHECK(refusal(twice).find("a second time") != std::string::npos);
  const std::string both =
      R"({"stage": "gate", )" + good + R"(, {"stage": "attention and gate", )" + good;
  CHECK(refusal(both).find("together with other stages") != std::string::npos);
}

TEST_CASE("measured stages: a recorded step gives a layer's and micro-batch's mean") {
  HandMadeStep made(2);
  for (int u = 0; u < 4; ++u) collective_unit(made);
  const StepUnits units = find_units(made.step(), 2, "dump.json");
  // Each unit: 40 + 30 + 10 us in front of the dispatch, 60 + 10 + 60 us of experts, 20 us behind.
  const StageTimes times = stage_times(made.step(), units, 4096, 0, "dump.json");
  REQUIRE(times.rows.size() == 3);
  // Written out and read again, it is the same table.
  const StageTimes again =
      read_stage_times(JsonDocument::parse(stage_times_text(times), "times.json"));
  REQUIRE(again.rows.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(again.rows[i].stages == times.rows[i].stages);
    CHECK(again.rows[i].time_us == times.rows[i].time_us);
  }
  CHECK(times.source == "dump.json");
  for (const StageRow& row : times.rows) {
    CHECK(row.tokens == 4096);
    const double us = row.stages.contains(StepStage::attention) ? 80
                      : row.stages.contains(StepStage::experts) ? 130
                                                                : 20;
    CHECK(row.time_us == doctest::Approx(us));
  }
}
