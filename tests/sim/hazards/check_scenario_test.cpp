#include "sim/hazards/check_scenario.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"

using namespace epsim;

namespace {

// Two ranks and few tokens: 8 tokens of 4 choices, so that rings of three stages are refilled.
std::string text_of(const std::string& kernel, const std::string& more = "") {
  return R"({"schema": "epsim.scenario/1",
             "topology": {"preset": "hgx-h200", "override": {"gpus": 2}},
             "traffic": {"routing": "random", "experts": 16, "top_k": 4, "tokens_per_rank": 8},
             "hidden": 1024, "kernel": )" +
         kernel + more + ", \"seed\": 7}";
}

const std::string kLowLatency = R"({"family": "deepep-ll-1.2.1"})";
const std::string kRingKernel = R"({"family": "deepep-intranode-1.2.1", "sms": 4})";

CheckedProgram check(const std::string& text, MoeOperation operation, CheckOptions options = {}) {
  const Scenario scenario = read_scenario(JsonDocument::parse(text, "s.json"), ".");
  const Calibration calibration = load_calibration(scenario.calibration);
  return check_operation({scenario, make_workload(scenario), calibration, options}, operation);
}

const Finding* find_kind(const CheckedProgram& checked, HazardKind kind) {
  for (const Finding& finding : checked.report.findings)
    if (finding.kind == kind) return &finding;
  return nullptr;
}

}  // namespace

TEST_CASE("check of a scenario: a combine without fences leaves E1 and E2, each with its price") {
  const CheckedProgram checked = check(text_of(kLowLatency), MoeOperation::combine);
  CHECK(checked.report.name == "combine");
  CHECK(checked.report.findings.size() == 2);
  for (const HazardKind kind : {HazardKind::stale_read, HazardKind::overwritten_read}) {
    const Finding* finding = find_kind(checked, kind);
    REQUIRE(finding != nullptr);
    CHECK(finding->verdict == Verdict::formal);
    CHECK(finding->closes.find("(combine.fence=") != std::string::npos);
    REQUIRE(finding->cost_us);
    CHECK(*finding->cost_us < 1.0);
    // Whoever is late: flags order the two, and only a proxy fence is missing.
    REQUIRE(finding->least_gap_us);
    CHECK(*finding->least_gap_us >= 0.0);
    CHECK(*finding->gap_us >= *finding->least_gap_us);
  }
  CHECK(checked.pointer_of(0) == "/combine/fence");
}

TEST_CASE("check of a scenario: with P1b and P4, or P3, a combine is OK") {
  for (const char* fence : {"P1b+P4", "P3"}) {
    CAPTURE(fence);
    const std::string more = std::string(", \"combine\": {\"fence\": \"") + fence + "\"}";
    CHECK(check(text_of(kLowLatency, more), MoeOperation::combine).report.findings.empty());
  }
}

TEST_CASE("check of a scenario: a price keeps closed what the scenario has closed") {
  // P4 closes E2; what closes E1 beside it is P3, P6 or P1b+P4, and of these P1b+P4 is cheapest.
  const CheckedProgram checked =
      check(text_of(kLowLatency, R"(, "combine": {"fence": "P4"})"), MoeOperation::combine);
  REQUIRE(checked.report.findings.size() == 1);
  CHECK(checked.report.findings[0].closes.find("(combine.fence=P1b+P4)") != std::string::npos);
}

TEST_CASE("check of a scenario: the lenient reading takes a fence in the pollers' CTAs") {
  const std::string text = text_of(kLowLatency, R"(, "combine": {"fence": "P1"})");
  CHECK(find_kind(check(text, MoeOperation::combine), HazardKind::stale_read) != nullptr);
  const CheckedProgram lenient = check(text, MoeOperation::combine, {.lenient = true});
  CHECK(lenient.report.lenient);
  CHECK(find_kind(lenient, HazardKind::stale_read) == nullptr);
}

TEST_CASE("check of a scenario: what no fence closes points to the kernel and has no price") {
  const CheckedProgram checked = check(text_of(kLowLatency), MoeOperation::dispatch);
  const Finding* finding = find_kind(checked, HazardKind::non_coherent_read);
  REQUIRE(finding != nullptr);
  CHECK(finding->basis == Basis::outside_model);
  CHECK_FALSE(finding->cost_us);
  CHECK(checked.pointer_of(0) == "/kernel/family");
}

TEST_CASE("check of a scenario: a ring's receivers leave E1, and one fence a chunk closes it") {
  const CheckedProgram open = check(text_of(kRingKernel), MoeOperation::dispatch);
  REQUIRE(find_kind(open, HazardKind::stale_read) != nullptr);
  CHECK(open.pointer_of(0) == "/dispatch/fence");
  const std::string fenced = text_of(kRingKernel, R"(, "dispatch": {"fence": "P1b"})");
  CHECK(find_kind(check(fenced, MoeOperation::dispatch), HazardKind::stale_read) == nullptr);
  const std::string threads = text_of(kRingKernel, R"(, "dispatch": {"fence": "P5"})");
  CHECK(find_kind(check(threads, MoeOperation::dispatch), HazardKind::stale_read) != nullptr);
}

TEST_CASE("check of a scenario: only what the host takes part in breaks a capture") {
  const auto findings = [](const std::string& kernel) {
    const std::string text = text_of(kernel, R"(, "operations": ["combine"])");
    return check_capture(read_scenario(JsonDocument::parse(text, "s.json"), ".")).report;
  };
  CHECK(findings(kLowLatency).findings.empty());
  CHECK(findings(R"({"family": "deepep-intranode-1.2.1", "sms": 4, "notify": "counted"})")
            .verdict() == Verdict::error);
}
