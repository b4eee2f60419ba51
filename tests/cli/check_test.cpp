// epsim check, as a user and as a build server run it.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

const std::string kExample = EPSIM_SOURCE_DIR "/examples/deepseek_v3_decode_h200.json";
const std::string kCombine =
    kExample +
    " --set topology.override.gpus=2 --set traffic.ranks=2 --set traffic.experts=16"
    " --set traffic.top_k=4 --set traffic.tokens_per_rank=8 --set operations='[\"combine\"]'";
const std::string kRacy = EPSIM_SOURCE_DIR "/examples/calls/two_in_flight.json";
const std::string kFixed = EPSIM_SOURCE_DIR "/examples/calls/two_in_flight_fixed.json";
const std::string kScatter = EPSIM_SOURCE_DIR "/examples/seeds/s5_ep_scatter.json";

}  // namespace

TEST_CASE("Command line: check is exit 3 with findings and 0 without") {
  const Outcome open = shell("check " + kCombine);
  CHECK(open.code == 3);
  CHECK(open.err.empty());
  CHECK(has(open.out, "FORMAL stale-read (by analogy)\n"));
  CHECK(has(open.out, "FORMAL overwritten-read (by analogy)\n"));
  CHECK(has(open.out, "  window    "));
  CHECK(has(open.out, "(combine.fence="));
  const Outcome closed = shell("check " + kCombine + " --set combine.fence=P1b+P4");
  CHECK(closed.code == 0);
  CHECK(has(closed.out, ": combine: OK\n"));
  // P1 closes E1 where a fence may stand in any CTA; E2 stays open.
  const std::string pollers = "check " + kCombine + " --set combine.fence=P1";
  CHECK(has(shell(pollers).out, "stale-read"));
  CHECK_FALSE(has(shell(pollers + " --lenient").out, "stale-read"));
  CHECK(shell(pollers + " --lenient").code == 3);
}

TEST_CASE("Command line: check takes calls and protocols, and several files at once") {
  CHECK(shell("check " + kRacy).code == 3);
  CHECK(shell("check " + kFixed).code == 0);
  const Outcome both = shell("check " + kFixed + " " + kRacy);
  CHECK(both.code == 3);
  CHECK(has(both.out, "two_in_flight_fixed.json: "));
  CHECK(has(both.out, "two_in_flight.json: "));
  CHECK(shell("check " + kScatter).code == 3);
  CHECK(shell("check " + kScatter + " --variant V1").code == 0);
  CHECK(shell("check " + kScatter + " --variant V0").code == 3);
}

TEST_CASE("Command line: check says what breaks the capture of a scenario's calls into a graph") {
  const std::string counted =
      kExample + " --set kernel='{\"family\": \"deepep-intranode-1.2.1\", \"sms\": 24, " +
      "\"notify\": \"counted\"}' --set traffic.tokens_per_rank=8";
  CHECK(has(shell("check " + counted).out, "ERROR capture"));
  CHECK_FALSE(has(shell("check " + counted + " --eager").out, "capture"));
}

TEST_CASE("Command line: check refuses what it cannot read, and options that exclude each other") {
  const TemporaryFolder folder;
  const std::string strange = (folder / "strange.json").string();
  replace_text_file(strange, "{\"schema\": \"epsim.routing/1\"}");
  for (const BadInput& bad : {
           BadInput{"check " + strange, "/schema: expected one of epsim.scenario/1"},
           BadInput{"check " + (folder / "none.json").string(), "none.json: no such file"},
           BadInput{"check", "FILE is required; see epsim check --help"},
           BadInput{"check " + kCombine + " --set combine.fence=P9", "/combine/fence: expected"},
           BadInput{"check " + kCombine + " --set combine.fence_space=global",
                    "/combine/fence_space: P0 has no proxy fence"},
           BadInput{"check " + kScatter + " --variant V9", "V9"},
           BadInput{"check --placements " + kScatter, "only a scenario has fence placements"},
           BadInput{"check --placements " + kCombine +
                        " --set kernel.family=epsim-graph"
                        " --set kernel.mode=graph --set dispatch.format=bf16",
                    "no operation of epsim-graph that runs here has fence placements"},
           BadInput{"check --placements " + kCombine + " --sarif out.sarif", "--sarif"},
           BadInput{"check " + kCombine + " --sarif - --json -", "only one result goes to stdout"},
           BadInput{"check " + kCombine + " --most 0", "--most"},
       })
    check_refused(bad);
}

TEST_CASE("Command line: check writes its findings as JSON, alone on stdout") {
  const Outcome outcome = shell("check " + kCombine + " --json -");
  CHECK(outcome.code == 3);
  JsonObject root = JsonDocument::parse(outcome.out, "stdout").root().object();
  CHECK(root.required("schema").string() == "epsim.hazards/1");
  CHECK(root.required("verdict").string() == "FORMAL");
  CHECK(root.required("finding_count").integer_in(0, 99) == 2);
}

TEST_CASE("Command line: check writes SARIF whose paths are relative to where it runs") {
  const TemporaryFolder folder;
  const std::string target = (folder / "hazards.sarif").string();
  const Outcome outcome = shell("check " + kCombine + " --sarif " + target);
  CHECK(outcome.code == 3);
  CHECK(has(outcome.out, "FORMAL stale-read"));  // the text is still there
  JsonObject root = JsonDocument::read(target).root().object();
  JsonObject run = root.required("runs").array().at(0).object();
  const auto results = run.required("results").array();
  REQUIRE(results.size() == 2);
  JsonObject result = results[0].object();
  CHECK(result.required("ruleId").string() == "stale-read");
  JsonObject location = result.required("locations").array().at(0).object();
  JsonObject physical = location.required("physicalLocation").object();
  const std::string uri = physical.required("artifactLocation").object().required("uri").string();
  CHECK(uri.ends_with("examples/deepseek_v3_decode_h200.json"));
  const std::string text = read_text_file(kExample);
  const auto before = text.begin() + static_cast<std::ptrdiff_t>(text.find("\"fence\""));
  const auto line = 1 + std::count(text.begin(), before, '\n');
  CHECK(physical.required("region").object().required("startLine").integer_in(1, 99) == line);
}

TEST_CASE("Command line: check writes nothing to a file where the input is wrong") {
  const TemporaryFolder folder;
  check_refused(
      {"check " + kCombine + " --set hidden=1 --json " + (folder / "h.json").string(), "/hidden"});
  CHECK_FALSE(std::filesystem::exists(folder / "h.json"));
}

TEST_CASE("Command line: the placements table has every placement and marks the cheapest") {
  const Outcome outcome = shell("check --placements " + kCombine);
  CHECK(outcome.code == 3);  // of the scenario's own placement, P0
  for (const char* name : {"P0 ", "P1 ", "P1b ", "P3g ", "P7 ", "P1b+P4 "})
    CHECK(has(outcome.out, std::string("\n") + name));
  CHECK(has(outcome.out, "<- cheapest"));
  CHECK(has(outcome.out, "cheapest that is OK in the strict reading: "));
  CHECK(shell("check --placements " + kCombine + " --set combine.fence=P3").code == 0);
}

TEST_CASE("Command line: placements and hazards do not depend on the number of jobs") {
  for (const std::string& verb :
       {"check --placements --json - " + kCombine, "check --json - " + kCombine}) {
    CAPTURE(verb);
    CHECK(shell(verb + " --jobs 1").out == shell(verb + " --jobs 2").out);
  }
}

TEST_CASE("Command line: a fence in one state space is the placement of that name") {
  const auto latency = [](const std::string& settings) {
    const Outcome outcome = shell("run " + kCombine + settings + " --json -");
    JsonObject root = JsonDocument::parse(outcome.out, "stdout").root().object();
    JsonObject report = root.required("operations").array().at(0).object();
    return report.required("latency_us").number();
  };
  CHECK(latency(" --set combine.fence=P3 --set combine.fence_space=global") ==
        latency(" --set combine.fence=P3g"));
  const Outcome shown =
      shell("show " + kCombine + " --set combine.fence=P3 --set combine.fence_space=global");
  CHECK(has(shown.out, "\"fence\": \"P3\""));
  CHECK(has(shown.out, "\"fence_space\": \"global\""));
}
