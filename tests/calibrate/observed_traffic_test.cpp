#include "calibrate/observed_traffic.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

// Four ranks, eight tokens each, a gigabyte a second: 1000 bytes take a microsecond.
const std::string kNormal =
    R"({"id": "one", "kernel": "deepep-intranode-1.2.1", "op": "dispatch", "system": "hgx-h200",
        "ranks": 4, "gpus_per_node": 4, "tokens": 8, "hidden": 7168, "experts": 8, "topk": 8,
        "dispatch_dtype": "fp8", "combine_dtype": "bf16", "routing": "random", "fence": "none",
        "sms": 24, "latency_us": null, "bandwidth_gb_per_s": 1, "source": "a page"})";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

ObservationSet read(const std::string& record) {
  const TemporaryFolder folder;
  replace_text_file(folder / "o.json",
                    R"({"schema": "epsim.observations/1", "records": [)" + record + "]}");
  return read_observations(folder / "o.json");
}

double latency_of(const std::string& record) {
  const ObservationSet set = read(record);
  REQUIRE(set.records.size() == 1);
  CHECK(set.records[0].from_bandwidth);
  return set.records[0].latency_us;
}

}  // namespace

// A token that picks all 8 experts goes to all 4 ranks, and an FP8 row is 7168 values and 56 scales
// of 4 bytes: 7392 bytes. The header of a message is none of the source's bytes.
TEST_CASE("bandwidth: within a node, rows that a rank receives from all ranks, itself included") {
  // 8 tokens of 4 ranks reach each rank: 32 rows, 236'544 bytes.
  CHECK(latency_of(kNormal) == doctest::Approx(236.544));
  // Of bf16 the combine returns 14'336 bytes a row: 32 rows, 458'752 bytes.
  CHECK(latency_of(with(kNormal, "\"dispatch\"", "\"combine\"")) == doctest::Approx(458.752));
  // At 2 GB/s half of that.
  CHECK(latency_of(with(kNormal, "_s\": 1", "_s\": 2")) == doctest::Approx(118.272));
}

TEST_CASE("bandwidth: across nodes, one row for each token and node, the own node included") {
  const std::string across = with(kNormal, "\"gpus_per_node\": 4", "\"gpus_per_node\": 2");
  // 8 tokens to 2 nodes: 16 rows, 118'272 bytes.
  CHECK(latency_of(across) == doctest::Approx(118.272));
  // Experts of the own rank only: 8 rows to the own node, 59'136 bytes. Top 2 of 8 experts.
  CHECK(latency_of(
            with(with(across, "\"random\"", "\"local-same\""), "\"topk\": 8", "\"topk\": 2")) ==
        doctest::Approx(59.136));
}

TEST_CASE("bandwidth: low-latency kernels divide tokens times top-k times the message") {
  // 8 tokens x 8 x (7168 + 224 + 16) = 474'112 bytes.
  const std::string record = with(
      with(kNormal, "deepep-intranode-1.2.1", "deepep-ll-1.2.1"), "\"sms\": 24", "\"sms\": null");
  CHECK(latency_of(record) == doctest::Approx(474.112));
}

TEST_CASE("bandwidth: a stated latency goes before a stated bandwidth") {
  const ObservationSet set = read(with(kNormal, "\"latency_us\": null", "\"latency_us\": 77"));
  REQUIRE(set.records.size() == 1);
  CHECK(set.records[0].latency_us == 77);
  CHECK_FALSE(set.records[0].from_bandwidth);
  CHECK(set.records[0].gpus_per_node == 4);
}

TEST_CASE("bandwidth: a record with neither is counted, and so is one of a kernel without a rule") {
  CHECK(read(with(kNormal, "_s\": 1", "_s\": null")).without_latency == 1);
  const std::string graph =
      with(with(kNormal, "deepep-intranode-1.2.1", "epsim-graph"),
           "\"sms\"",
           R"("mode": "graph", "copy": "persistent", "capacity": "worst", "sms")");
  CHECK(read(graph).without_latency == 1);
}

TEST_CASE("bandwidth: a shape that cannot be routed is refused") {
  CHECK_THROWS_AS((void)read(with(kNormal, "\"experts\": 8", "\"experts\": 9")), InputError);
  CHECK_THROWS_AS((void)read(with(kNormal, "\"hidden\": 7168", "\"hidden\": 7100")), InputError);
  CHECK_THROWS_AS((void)read(with(kNormal, "_s\": 1", "_s\": -1")), InputError);
  CHECK_THROWS_AS((void)read(with(kNormal, "\"gpus_per_node\": 4", "\"gpus_per_node\": 0")),
                  InputError);
}

TEST_CASE(
    "routing of an observation: a family says what random means and how many picks are masked") {
  const ObservationSet set = read(kNormal);
  Observation observation = set.records[0];
  observation.top_k = 2;
  FamilyKind kind = *find_family(observation.kernel);
  kind.random_means = "local-same";
  Routing routing = routing_of(observation, set, kind);
  CHECK(routing.choices(RankId{3}, 0)[0] == 6);  // experts 6 and 7 are rank 3's
  CHECK(routing.choices(RankId{3}, 0)[1] == 7);
  observation.routing = "remote-rand";  // what the record says goes before
  routing = routing_of(observation, set, kind);
  CHECK(routing.choices(RankId{3}, 0)[0] < 6);
  kind.masked_picks = 1;
  routing = routing_of(observation, set, kind);
  int masked = 0;
  for (const ExpertChoice choice : routing.choices(RankId{0})) masked += choice == kMasked ? 1 : 0;
  CHECK(masked == 1);
}

TEST_CASE("routing of an observation: a limit of hosts that all keep is none") {
  const ObservationSet set = read(with(kNormal, "\"topk\": 8", "\"topk\": 2"));
  Observation observation = set.records[0];
  FamilyKind kind = *find_family(observation.kernel);
  const Routing random = routing_of(observation, set, kind);
  kind.random_means = "node-limited:HOSTS:1";
  CHECK(routing_of(observation, set, kind) == random);  // one host
  observation.gpus_per_node = 2;                        // two hosts, of which a token reaches one
  const Routing limited = routing_of(observation, set, kind);
  for (std::size_t token = 0; token < 8; ++token) {
    const auto choices = limited.choices(RankId{0}, token);
    CHECK(choices[0] / 4 == choices[1] / 4);  // experts 0 to 3 are of host 0
  }
}
