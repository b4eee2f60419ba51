#include "sim/report.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/report_text.hpp"

using namespace epsim;

namespace {

Scenario example(std::vector<std::string> settings) {
  settings.insert(settings.begin(), {"traffic.tokens_per_rank=16", "traffic.ranks=4"});
  return load_scenario(EPSIM_SOURCE_DIR "/examples/deepseek_v3_decode_h200.json", settings);
}

std::vector<Report> reports_of(const Scenario& scenario, std::int64_t most_tokens = 1024) {
  const Calibration calibration = load_calibration("hgx-h200");
  KernelFamily family = calibration.family(scenario.kernel);
  family.range = {.tokens_min = 1,
                  .tokens_max = most_tokens,
                  .hidden_min = 7168,
                  .hidden_max = 7168,
                  .experts_min = 128,
                  .experts_max = 256,
                  .top_k_min = 8,
                  .top_k_max = 8,
                  .ranks_min = 2,
                  .ranks_max = 8};
  const Workload workload = make_workload(scenario);
  std::vector<Report> reports;
  for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
    const Prediction prediction = predict(
        operation, workload, *find_family(scenario.kernel), calibration.hardware, family.constants);
    const double us = to_us(prediction.latency);
    reports.push_back(summarize(prediction, workload, family, {us * 0.9, us * 1.1}));
  }
  return reports;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Report: traffic is that of the routing, there and back") {
  const std::vector<Report> reports = reports_of(example({}));
  // 4 ranks x 16 tokens x top-8, each a message of its own.
  for (const Report& report : reports) {
    CHECK(report.traffic.messages == 512);
    CHECK(report.traffic.remote_messages < 512);
    CHECK(report.traffic.experts.ratio() >= 1.0);
  }
  // FP8: 16 + 7168 + 7168 / 128 x 4 = 7408 B. BF16: 2 x 7168 B.
  CHECK(reports[0].traffic.bytes == Bytes{512 * 7408});
  CHECK(reports[1].traffic.bytes == Bytes{512 * 14336});
  // What comes home is what was sent: as many messages for each rank.
  CHECK(reports[1].traffic.ranks.max == 128);
  CHECK(reports[1].traffic.ranks.ratio() == 1.0);
}

TEST_CASE("Report: the bound is below the latency and resources work at most all of the time") {
  for (const Report& report : reports_of(example({"traffic.tokens_per_rank=64"}))) {
    CHECK(report.bounds.tightest().latency <= report.latency);
    CHECK(report.busiest.size() == 3);
    for (const ResourceUse& use : report.busiest) {
      CHECK(use.busy > 0.0);
      CHECK(use.busy <= 1.0);
    }
  }
}

TEST_CASE("Report: a prediction out of the calibrated range names the dimension") {
  const Scenario scenario = example({});
  CHECK(reports_of(scenario)[0].beyond_range.empty());
  const std::vector<Report> beyond = reports_of(scenario, 8);
  REQUIRE(beyond[0].beyond_range.size() == 1);
  CHECK(beyond[0].beyond_range[0] == "tokens a rank 16, calibrated for 1 to 8");
  CHECK(has(report_text(scenario, beyond),
            "out of calibrated range: tokens a rank 16, calibrated for 1 to 8\n"));
  CHECK_FALSE(has(report_text(scenario, reports_of(scenario)), "out of calibrated range"));
  CHECK(has(report_json(scenario, beyond), "\"in_range\": false"));
}

TEST_CASE("Report: a split kernel tells send and receive apart") {
  const Scenario scenario = example({"kernel.mode=split", "kernel.split_gap=20 us"});
  const std::vector<Report> reports = reports_of(scenario);
  REQUIRE(reports[0].kernels.size() == 2);
  CHECK(reports[0].kernels[0].name == "dispatch send");
  CHECK(reports[0].kernels[1].name == "dispatch receive");
  CHECK(has(report_text(scenario, reports), "combine receive"));
  CHECK(reports_of(example({}))[0].kernels.empty());
}

TEST_CASE("Report: zero tokens, one rank and masked tokens are answered") {
  for (const char* setting :
       {"traffic.tokens_per_rank=0", "traffic.ranks=1", "traffic.masked_fraction=1"}) {
    CAPTURE(setting);
    const Scenario scenario = example({setting});
    const std::vector<Report> reports = reports_of(scenario);
    CHECK(reports[0].latency > Duration{});
    CHECK(reports[0].bottleneck() == nullptr);
    CHECK(has(report_text(scenario, reports), "limited by latencies"));
    CHECK(has(report_json(scenario, reports), "\"bottleneck\": null"));
  }
}

TEST_CASE("Report: the text fits a screen and ends in a line an operation") {
  const Scenario scenario =
      example({"traffic.tokens_per_rank=128", "topology.override.nvlink_bandwidth=\"100 GB/s\""});
  const std::string text = report_text(scenario, reports_of(scenario));
  CHECK(std::count(text.begin(), text.end(), '\n') <= 40);
  CHECK(has(text, "override nvlink_bandwidth: 450 GB/s -> 100 GB/s"));
  const std::string last = text.substr(text.rfind("\ncombine") + 1);
  CHECK(last.starts_with("combine   "));
  CHECK(has(last, "bottleneck link gpu"));
  CHECK(has(last, "% busy)\n"));
}

TEST_CASE("Report: JSON holds the resolved scenario and the same bytes every time") {
  const Scenario scenario = example({});
  const std::string text = report_json(scenario, reports_of(scenario));
  CHECK(text == report_json(scenario, reports_of(scenario)));
  const JsonDocument document = JsonDocument::parse(text, "report");
  JsonObject root = document.root().object();
  CHECK(root.required("schema").string() == "epsim.report/1");
  CHECK(root.required("operations").array().size() == 2);
  JsonObject resolved = root.required("scenario").object();
  CHECK(resolved.required("launch_skew").string() == "0 us");  // a default, written out
  const JsonDocument again = JsonDocument::parse(root.required("scenario").dump(), "again.json");
  CHECK(read_scenario(again, ".").seed == scenario.seed);
}
