// Scenarios beyond one NVLink domain, and those of which one host stands for all.
#include "sim/scenario_reach.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/report_text.hpp"

using namespace epsim;

namespace {

const std::string kSixtyFour = R"({
  "schema": "epsim.scenario/1",
  "topology": {"preset": "hgx-hopper-ib400", "override": {"hosts": 8}},
  "symmetry": true,
  "traffic": {"routing": "random", "experts": 128, "top_k": 8, "tokens_per_rank": 16},
  "kernel": {"family": "deepep-ll-legacy"},
  "hidden": 7168,
  "calibration": "hgx-h200"
})";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

Scenario read(const std::string& text) {
  return read_scenario(JsonDocument::parse(text, "s.json"), ".");
}

template <typename Ask>
std::string error_of(Ask ask) {
  try {
    ask();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string reading_error(const std::string& text) {
  return error_of([&] { (void)read(text); });
}

}  // namespace

TEST_CASE("Scenario: with symmetry one host is planned and its ranks alone have tokens") {
  const Scenario scenario = read(kSixtyFour);
  CHECK(scenario.gpu_count == 64);
  CHECK(scenario.fold.planned == 8);
  CHECK(scenario.topology->gpu_count() == 8);
  const Workload workload = make_workload(scenario);
  CHECK(workload.rank_count() == 64);
  CHECK(workload.planned_ranks() == 8);
  CHECK(workload.routing->token_count(RankId{7}) == 16);
  CHECK(workload.routing->token_count(RankId{8}) == 0);
  // The tokens of those ranks are what they are without it.
  const Workload full = make_workload(read(with(kSixtyFour, "\"symmetry\": true,", "")));
  CHECK(full.planned_ranks() == 64);
  for (std::uint32_t r = 0; r < 8; ++r) {
    const auto folded = workload.routing->choices(RankId{r});
    const auto whole = full.routing->choices(RankId{r});
    CHECK(std::vector(folded.begin(), folded.end()) == std::vector(whole.begin(), whole.end()));
  }
  CHECK(scenario_text(scenario).find("one host of 8 told, 64 ranks by symmetry") !=
        std::string::npos);
}

TEST_CASE("Scenario: symmetry is refused where hosts differ, and says why") {
  const auto refused =
      [](const std::string& piece, const std::string& replacement, const std::string& message) {
        CAPTURE(replacement);
        CHECK(reading_error(with(kSixtyFour, piece, replacement)) ==
              "s.json: " + with(message, "*", "one host stands for all (symmetry)"));
      };
  refused("\"random\"",
          "\"zipf:0.6\"",
          "/traffic/routing: *: expected a routing whose ranks are alike, found \"zipf:0.6\"");
  refused("\"top_k\"",
          "\"placement\": \"round-robin\", \"top_k\"",
          "/traffic/placement: *: expected \"contiguous\", found \"round-robin\"");
  refused("\"top_k\"",
          "\"ranks\": 32, \"top_k\"",
          "/traffic/ranks: *: expected 64, one on each GPU of all hosts, found 32; "
          "topology.override.hosts says how many hosts there are");
  refused("\"hidden\"",
          "\"launch_skew\": \"1 us\", \"hidden\"",
          "/launch_skew: *: ranks that start apart are not alike; leave it out");
  const std::string family = reading_error(with(kSixtyFour, "deepep-ll-legacy", "epsim-ll"));
  CAPTURE(family);
  CHECK(family.starts_with("s.json: /kernel/family: one host stands for all (symmetry): expected"));
  CHECK(family.ends_with("found \"epsim-ll\""));
}

TEST_CASE("Scenario: ranks of several NVLink domains need a family that joins them") {
  const std::string text = with(kSixtyFour, "\"symmetry\": true,", "");
  const std::string error = reading_error(with(text, "deepep-ll-legacy", "epsim-ll"));
  CAPTURE(error);
  CHECK(error.starts_with("s.json: /kernel/family: the 64 ranks lie in 8 NVLink domains: "));
  CHECK(error.ends_with("found \"epsim-ll\""));
  const std::string one_host = with(text, "\"top_k\"", "\"ranks\": 8, \"top_k\"");
  CHECK(reading_error(with(one_host, "deepep-ll-legacy", "epsim-ll")) == "no error");
}

TEST_CASE("Scenario: more ranks than GPUs say how to ask for more hosts") {
  CHECK(reading_error(with(kSixtyFour, "\"top_k\"", "\"ranks\": 65, \"top_k\"")) ==
        "s.json: /traffic/ranks: expected at most the 64 GPUs of hgx-hopper-ib400 "
        "(topology.override.hosts asks for more hosts, .gpus for more of one), found 65");
}

TEST_CASE("Scenario: kernels that post need NICs and a calibration of them") {
  const Calibration calibration = load_calibration("hgx-h200");  // of one host
  const Scenario many = read(kSixtyFour);
  CHECK(error_of([&] { require_network(many, calibration); }) ==
        "s.json: /calibration: deepep-ll-legacy posts to NICs; expected a calibration with network "
        "constants, found hgx-h200");
  const std::string alone = with(kSixtyFour, "\"symmetry\": true,", "");
  const std::string one_host = with(alone, "\"top_k\"", "\"ranks\": 8, \"top_k\"");
  CHECK(error_of([&] { require_network(read(one_host), calibration); }) == "no error");
  const std::string without_nvlink = with(one_host, "deepep-ll-legacy", "deepep-ll-v1-rdmaonly");
  CHECK(error_of([&] { require_network(read(without_nvlink), calibration); }) != "no error");
  std::string no_network = with(without_nvlink, "hgx-hopper-ib400", "hgx-h200");
  no_network = with(no_network, ", \"override\": {\"hosts\": 8}", "");
  CHECK(reading_error(no_network) ==
        "s.json: /topology/preset: deepep-ll-v1-rdmaonly posts to NICs; expected a topology with a "
        "network, found \"hgx-h200\"");
}

TEST_CASE("Scenario: a check of every access refuses NICs and hosts that stand for others") {
  CHECK(error_of([] { require_every_access(read(kSixtyFour)); }) ==
        "s.json: /symmetry: a check follows every rank; leave symmetry out and ask for few hosts");
  const std::string many = with(kSixtyFour, "\"symmetry\": true,", "");
  CHECK(error_of([&] { require_every_access(read(many)); }) ==
        "s.json: /kernel/family: deepep-ll-legacy posts to NICs, whose accesses a check does not "
        "follow; ask for ranks of one NVLink domain");
  CHECK(error_of([&] {
          require_every_access(read(with(many, "\"top_k\"", "\"ranks\": 8, \"top_k\"")));
        }) == "no error");
}
