#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/report.hpp"
#include "sim/sweep/scenario_sweep.hpp"
#include "sim/sweep/sweep_point.hpp"

using namespace epsim;

namespace {

const std::string kScenario = R"({
  "schema": "epsim.scenario/1", "topology": {"preset": "hgx-h200"},
  "traffic": {"routing": "random", "ranks": 2, "experts": 16, "top_k": 2, "tokens_per_rank": 1},
  "hidden": 1024, "kernel": {"family": "deepep-ll-1.2.1"}, "seed": 3})";

ScenarioSweep sweep_of(const std::string& rest, const std::string& scenario = kScenario) {
  return read_scenario_sweep(JsonDocument::parse(
      R"({"schema": "epsim.sweep/1", "scenario": )" + scenario + ", " + rest + "}",
      "folder/s.json"));
}

std::string error_of(const std::string& rest) {
  try {
    (void)sweep_of(rest);
  } catch (const InputError& error) {
    return error.what();
  }
  return "none";
}

std::string values_text(const ScenarioSweep& sweep, std::uint64_t point) {
  std::string text;
  for (const std::string& value : sweep.values_at(point)) text += value + " ";
  return text;
}

const SweepCell& cell(const SweepRow& row, std::string_view name) {
  for (std::size_t c = 0; c < row.size(); ++c)
    if (kSweepColumns[c].name == name) return row[c];
  FAIL("no such column");
  return row[0];
}

}  // namespace

TEST_CASE("Sweep: points are the product of the axes, the last of the file fastest") {
  const ScenarioSweep sweep = sweep_of(
      R"("axes": {"traffic.top_k": [1, 2], "traffic.routing": ["random", "zipf:0.6"], "hidden": [1024]})");
  REQUIRE(sweep.point_count() == 4);  // 2 x 2 x 1
  CHECK(values_text(sweep, 0) == "1 \"random\" 1024 ");
  CHECK(values_text(sweep, 1) == "1 \"zipf:0.6\" 1024 ");
  CHECK(values_text(sweep, 2) == "2 \"random\" 1024 ");
  CHECK(values_text(sweep, 3) == "2 \"zipf:0.6\" 1024 ");
}

TEST_CASE("Sweep: keys of a zip advance together, where the first of them stands") {
  const ScenarioSweep sweep = sweep_of(
      R"("axes": {"traffic.ranks": [1, 2], "hidden": [1024, 2048], "traffic.experts": [8, 16]},
         "zip": [["traffic.ranks", "traffic.experts"]])");
  CHECK(sweep.keys() == std::vector<std::string>{"traffic.ranks", "traffic.experts", "hidden"});
  REQUIRE(sweep.point_count() == 4);
  CHECK(values_text(sweep, 1) == "1 8 2048 ");
  CHECK(values_text(sweep, 2) == "2 16 1024 ");
}

TEST_CASE("Sweep: seeds are a last axis that starts at the scenario's seed") {
  const ScenarioSweep sweep = sweep_of(R"("axes": {"hidden": [1024, 2048]}, "seeds": 3)");
  REQUIRE(sweep.point_count() == 6);
  CHECK(values_text(sweep, 0) == "1024 3 ");
  CHECK(values_text(sweep, 2) == "1024 5 ");
  CHECK(scenario_at(sweep, 5).seed == 5);
  CHECK(scenario_at(sweep, 5).hidden == 2048);
}

TEST_CASE("Sweep: a file that is wrong is refused with its place") {
  CHECK(error_of(R"("axes": {"hidden": []})") ==
        "folder/s.json: /axes/hidden: expected at least one value, found an array of 0");
  CHECK(error_of(R"("axes": {"hidden": 5})") ==
        "folder/s.json: /axes/hidden: expected an array, found 5");
  CHECK(error_of(R"("axis": {})") == "folder/s.json: missing key \"axes\"");
  CHECK(error_of(R"("axes": {"hidden": [1]}, "zip": [["hidden", "seed"]])") ==
        "folder/s.json: /zip/0/1: expected a key of \"axes\", found \"seed\"");
  CHECK(error_of(R"("axes": {"hidden": [1]}, "zip": [["hidden"]])") ==
        "folder/s.json: /zip/0: expected two keys or more that advance together, found an array of "
        "1");
  CHECK(error_of(R"("axes": {"hidden": [1], "seed": [1, 2]}, "zip": [["hidden", "seed"]])") ==
        "folder/s.json: /axes/seed: expected the 1 values of \"hidden\", with which it advances "
        "(zip), found an array of 2");
  CHECK(error_of(R"("axes": {"seed": [1]}, "seeds": 2)") ==
        "folder/s.json: /seeds: \"axes\" has values of seed already; give one of the two");
  // 10^5 seeds of 11 points each are more than 10^6.
  CHECK(error_of(R"("axes": {"hidden": [1,2,3,4,5,6,7,8,9,10,11]}, "seeds": 100000)") ==
        "folder/s.json: /axes: expected at most 1000000 points");
}

TEST_CASE("Sweep: what tells one sweep from another says nothing of where its files lie") {
  const ScenarioSweep sweep = sweep_of(R"("name": "n", "axes": {"hidden": [1024]})");
  CHECK(sweep.resolved().find("folder") == std::string::npos);
  CHECK(sweep.resolved() != sweep_of(R"("name": "n", "axes": {"hidden": [2048]})").resolved());
  CHECK(sweep.placeless("folder/s.json#scenario: /hidden: folder/r.json") ==
        "scenario: /hidden: r.json");
}

TEST_CASE("Sweep point: rows hold what a report of its scenario says") {
  const ScenarioSweep sweep = sweep_of(R"("axes": {"traffic.tokens_per_rank": [1, 4]})");
  SweepSimulator simulator(sweep);
  const std::vector<SweepRow> rows = simulator.run(1);
  REQUIRE(rows.size() == 2);

  const Scenario scenario = scenario_at(sweep, 1);
  CHECK(*scenario.routing.tokens_per_rank == 4);
  const Calibration calibration = load_calibration("hgx-h200");
  const KernelFamily& family = calibration.family(scenario.kernel);
  const Workload workload = make_workload(scenario);
  const Prediction prediction = predict(MoeOperation::combine,
                                        workload,
                                        *find_family(scenario.kernel),
                                        calibration.hardware,
                                        family.constants);
  const LatencyInterval interval = interval_of(prediction, workload, calibration, family);
  CHECK(std::get<std::string>(cell(rows[0], "operation")) == "dispatch");
  CHECK(std::get<std::string>(cell(rows[1], "operation")) == "combine");
  CHECK(std::get<double>(cell(rows[1], "latency_us")) ==
        static_cast<double>(prediction.latency.count()) / 1e6);
  CHECK(std::get<double>(cell(rows[1], "low_us")) == interval.low_us);
  CHECK(std::get<double>(cell(rows[1], "high_us")) == interval.high_us);
  CHECK_FALSE(std::get<bool>(cell(rows[1], "in_range")));  // fitted on 4 ranks and 256 experts
  CHECK(std::get<std::string>(cell(rows[1], "beyond")).find("ranks 2") != std::string::npos);
  CHECK(std::holds_alternative<std::monostate>(cell(rows[1], "error")));
}

TEST_CASE("Sweep point: a scenario that is refused is one row with the reason") {
  const ScenarioSweep sweep = sweep_of(R"("axes": {"traffic.top_k": [2, 32]})");
  SweepSimulator simulator(sweep);
  CHECK_FALSE(simulator.refusal(0).has_value());
  const std::string reason = "scenario: /traffic/top_k: expected at most the 16 experts, found 32";
  CHECK(simulator.refusal(1) == reason);
  const std::vector<SweepRow> rows = simulator.run(1);
  REQUIRE(rows.size() == 1);
  CHECK(std::get<std::string>(cell(rows[0], "error")) == reason);
  CHECK(std::holds_alternative<std::monostate>(cell(rows[0], "latency_us")));
  CHECK(simulator.inputs().starts_with("calibration hgx-h200 "));
}

TEST_CASE("Sweep point: rows come back from their text as they were") {
  SweepRow row;
  row[0] = std::string("a \"word\", and a line\n");
  row[1] = 0.1 + 0.2;
  row[8] = true;
  const std::vector<SweepRow> rows = {row, SweepRow{}};
  CHECK(read_sweep_rows(sweep_rows_text(rows), "rows") == rows);
  CHECK_THROWS_AS((void)read_sweep_rows("[[1]]", "rows"), InputError);
}
