#include "sim/hazards/sarif.hpp"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/hazards/finding_text.hpp"
#include "sim/hazards/hazard_rules.hpp"
#include "tests/support/sample_findings.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kRoot = "/repository";

JsonObject run_of(const std::vector<CheckedFile>& files) {
  JsonObject root = JsonDocument::parse(sarif_text(files, kRoot), "sarif").root().object();
  CHECK(root.required("version").string() == "2.1.0");
  CHECK(root.required("$schema").string().ends_with("sarif-schema-2.1.0.json"));
  const auto runs = root.required("runs").array();
  REQUIRE(runs.size() == 1);
  return runs[0].object();
}

std::string text_of(JsonObject& object, std::string_view key) {
  return object.required(key).object().required("text").string();
}

std::string fingerprint_of(const CheckedFile& file, std::size_t result) {
  JsonObject run = run_of({file});
  JsonObject found = run.required("results").array().at(result).object();
  JsonObject prints = found.required("partialFingerprints").object();
  return prints.required("epsimFinding/v1").string();
}

}  // namespace

TEST_CASE("SARIF: the driver has a rule with help for every kind of hazard, in their order") {
  JsonObject run = run_of({sample_file("/repository/s.json")});
  JsonObject driver = run.required("tool").object().required("driver").object();
  CHECK(driver.required("name").string() == "epsim");
  const auto rules = driver.required("rules").array();
  REQUIRE(rules.size() == kHazardKindNames.size());
  std::set<std::string> names;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    JsonObject rule = rules[i].object();
    CHECK(rule.required("id").string() == kHazardKindNames[i]);
    CHECK(static_cast<std::size_t>(hazard_rules()[i].kind) == i);
    names.insert(rule.required("name").string());
    CHECK_FALSE(text_of(rule, "shortDescription").empty());
    CHECK_FALSE(text_of(rule, "fullDescription").empty());
    CHECK_FALSE(text_of(rule, "help").empty());
  }
  CHECK(names.size() == rules.size());
}

TEST_CASE("SARIF: a result has rule, level, message, place and fingerprint") {
  JsonObject run = run_of({sample_file("/repository/examples/s.json")});
  const auto results = run.required("results").array();
  REQUIRE(results.size() == 2);
  JsonObject formal = results[1].object();
  CHECK(formal.required("ruleId").string() == "stale-read");
  CHECK(formal.required("ruleIndex").integer_in(0, 99) == 0);
  CHECK(formal.required("level").string() == "warning");
  CHECK(text_of(formal, "message") == "combine: " + finding_text(full_finding()));
  JsonObject location = formal.required("locations").array().at(0).object();
  JsonObject physical = location.required("physicalLocation").object();
  JsonObject artifact = physical.required("artifactLocation").object();
  CHECK(artifact.required("uri").string() == "examples/s.json");
  CHECK(artifact.required("uriBaseId").string() == "%SRCROOT%");
  // "fence" stands in line 4 of the sample.
  CHECK(physical.required("region").object().required("startLine").integer_in(1, 99) == 4);
  JsonObject logical = location.required("logicalLocations").array().at(0).object();
  CHECK(logical.required("fullyQualifiedName").string() == "/combine/fence");
  JsonObject prints = formal.required("partialFingerprints").object();
  CHECK(prints.required("epsimFinding/v1").string().size() == 16);
  // Without a pointer: the first line, and no logical place.
  JsonObject error = results[0].object();
  CHECK(error.required("level").string() == "error");
  JsonObject whole = error.required("locations").array().at(0).object();
  JsonObject place = whole.required("physicalLocation").object();
  CHECK(place.required("region").object().required("startLine").integer_in(1, 99) == 1);
  CHECK_FALSE(whole.optional("logicalLocations"));
}

TEST_CASE("SARIF: a verdict that rests on the platform is a note") {
  CheckedFile file = sample_file("/repository/s.json");
  file.programs[0].report.findings[0].verdict = Verdict::platform;
  JsonObject run = run_of({file});
  CHECK(run.required("results").array().at(0).object().required("level").string() == "note");
}

TEST_CASE("SARIF: no findings are a run with no results") {
  CheckedFile file = sample_file("/repository/s.json");
  file.programs.clear();
  CHECK(run_of({file}).required("results").array().empty());
  CHECK(run_of({}).required("results").array().empty());
}

TEST_CASE("SARIF: a fingerprint outlives counts and times, and no other change") {
  const CheckedFile file = sample_file("/repository/s.json");
  const std::string before = fingerprint_of(file, 1);
  const auto after = [&](auto change) {
    CheckedFile changed = file;
    change(changed, changed.programs[0].report.findings[1]);
    return fingerprint_of(changed, 1);
  };
  CHECK(after([](CheckedFile&, Finding& f) { f.instances = 4; }) == before);
  CHECK(after([](CheckedFile&, Finding& f) { f.cost_us = 7; }) == before);
  CHECK(after([](CheckedFile&, Finding& f) { f.first.text = "rank 33, CTA 0: bulk store"; }) ==
        before);
  CHECK(after([](CheckedFile&, Finding& f) { f.first.text = "rank 1, CTA 3: store"; }) != before);
  CHECK(after([](CheckedFile&, Finding& f) { f.kind = HazardKind::overwritten_read; }) != before);
  CHECK(after([](CheckedFile& c, Finding&) { c.path = "/repository/t.json"; }) != before);
}

TEST_CASE("SARIF: findings that differ in numbers alone have fingerprints of their own") {
  CheckedFile file = sample_file("/repository/s.json");
  file.programs[0].report.findings = {full_finding(), full_finding(), full_finding()};
  const std::string first = fingerprint_of(file, 0);
  CHECK(fingerprint_of(file, 1) == first + ":2");
  CHECK(fingerprint_of(file, 2) == first + ":3");
}

TEST_CASE("SARIF: a path below the root is relative, another is absolute, and signs are encoded") {
  CHECK(artifact_uri("/repository/a b/c%.json", kRoot) == "a%20b/c%25.json");
  CHECK(artifact_uri("/repository/x/../y.json", kRoot) == "y.json");
  CHECK(artifact_uri("/elsewhere/s.json", kRoot) == "file:///elsewhere/s.json");
  CHECK(artifact_uri("s.json", std::filesystem::current_path()) == "s.json");
}
