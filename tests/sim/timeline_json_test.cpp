#include "sim/timeline_json.hpp"

#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/hand_made_step.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

struct ReadSpan {
  std::string lane, name;
  std::int64_t start_ns, end_ns;
  bool operator==(const ReadSpan&) const = default;
};

struct ReadBlocks {
  std::vector<ReadSpan> spans;  // of rank 0
  std::size_t rank_count = 0, shown_ranks = 0, span_count = 0, link_count = 0;
  double grain_us = 0, end_us = 0, bin_us = 0;
  std::vector<std::string> links;
  std::vector<std::vector<int>> busy_pct;
};

std::int64_t ns_of(JsonObject& span, const char* key) {
  return static_cast<std::int64_t>(1000 * span.required(key).number_in(0, 1e6) + 0.5);
}

ReadBlocks written(HandMadePlan& built, std::uint32_t ranks) {
  Prediction prediction{
      .operation = MoeOperation::dispatch, .plan = built.take(), .timeline = {}, .latency = {}};
  prediction.timeline = execute_round(prediction.plan, {.record_link_uses = true});
  JsonWriter writer;
  writer.begin_object();
  write_timeline(prediction, *round_topology({.gpus = ranks}), writer);
  writer.end_object();
  JsonObject root = JsonDocument::parse(writer.take(), "blocks").root().object();
  JsonObject timeline = root.required("timeline").object();
  JsonObject links = root.required("link_use").object();
  ReadBlocks blocks;
  blocks.rank_count = static_cast<std::size_t>(timeline.required("rank_count").number());
  blocks.shown_ranks = timeline.required("ranks").array().size();
  blocks.grain_us = timeline.required("grain_us").number();
  blocks.end_us = timeline.required("end_us").number();
  for (const JsonValue& value : timeline.required("spans").array()) {
    ++blocks.span_count;
    JsonObject span = value.object();
    if (span.required("rank").number() != 0) continue;
    blocks.spans.push_back({span.required("lane").string(),
                            span.required("name").string(),
                            ns_of(span, "start_us"),
                            ns_of(span, "end_us")});
  }
  blocks.link_count = static_cast<std::size_t>(links.required("link_count").number());
  blocks.bin_us = links.required("bin_us").number();
  for (const JsonValue& value : links.required("links").array()) {
    JsonObject link = value.object();
    blocks.links.push_back(link.required("link").string());
    std::vector<int>& shares = blocks.busy_pct.emplace_back();
    for (const JsonValue& share : link.required("busy_pct").array())
      shares.push_back(static_cast<int>(share.integer_in(0, 100)));
  }
  return blocks;
}

}  // namespace

TEST_CASE("Timeline block: operations of one phase are one span, beside those of the kernel") {
  // 100 + 200 ns of cast, then 300 ns of reduce.
  HandMadePlan plan;
  plan.agent_on(0);
  plan.work(Phase::cast, 100ns);
  plan.work(Phase::cast, 200ns);
  plan.work(Phase::reduce, 300ns);
  const ReadBlocks blocks = written(plan, 1);
  CHECK(blocks.spans == std::vector<ReadSpan>{{"kernels", "kernel", 0, 600},
                                              {"senders", "cast", 0, 300},
                                              {"senders", "reduce", 300, 600}});
  CHECK(blocks.grain_us == 0);
  CHECK(blocks.end_us == doctest::Approx(0.6));
  CHECK(blocks.links.empty());
}

TEST_CASE("Timeline block: a lane of very many spans is drawn in slices") {
  // 500 times 10 ns of cast and 10 ns of send: 1000 spans. A slice lasts 10 us / 240 = 41.666 ns
  // and holds more of one or of the other; whichever it shows, all 10 us are covered.
  HandMadePlan plan;
  plan.agent_on(0);
  for (int i = 0; i < 500; ++i) {
    plan.work(Phase::cast, 10ns);
    plan.work(Phase::send, 10ns);
  }
  const ReadBlocks blocks = written(plan, 1);
  CHECK(blocks.grain_us == doctest::Approx(0.041666));
  CHECK(blocks.spans.size() <= 1 + 240);
  for (std::size_t i = 2; i < blocks.spans.size(); ++i) {
    CHECK(blocks.spans[i].start_ns == blocks.spans[i - 1].end_ns);
    CHECK(blocks.spans[i].name != blocks.spans[i - 1].name);
  }
  CHECK(blocks.spans.back().end_ns == 10'000);
}

TEST_CASE("Timeline block: only the first ranks of many are shown") {
  HandMadePlan plan(40);
  for (std::uint32_t rank = 0; rank < 40; ++rank) {
    plan.agent_on(rank);
    plan.work(Phase::cast, 100ns);
  }
  const ReadBlocks blocks = written(plan, 40);
  CHECK(blocks.rank_count == 40);
  CHECK(blocks.shown_ranks == kMostRanks);
  CHECK(blocks.span_count == 2 * kMostRanks);  // the kernel and its one phase
}

TEST_CASE("Link use block: each bin has the share in which its link carried data") {
  // 600 ns of work, then 60 kB at 100 GB/s: 600 ns on the wire, so that the way up is idle for
  // about half of the time and busy for the other half.
  HandMadePlan plan(2);
  plan.agent_on(0);
  plan.work(Phase::cast, 600ns);
  plan.put(Phase::send, RankId{1}, Bytes{60'000}, {});
  const ReadBlocks blocks = written(plan, 2);
  CHECK(blocks.links == std::vector<std::string>{"gpu0->switch", "switch->gpu1"});
  CHECK(blocks.link_count == 2);
  for (const std::vector<int>& shares : blocks.busy_pct) {
    REQUIRE(shares.size() == kLinkBins);
    double busy_us = 0;
    for (const int share : shares) busy_us += share / 100.0 * blocks.bin_us;
    CHECK(busy_us == doctest::Approx(0.6).epsilon(0.02));
    CHECK(shares.front() == 0);
  }
  CHECK(blocks.bin_us * static_cast<double>(kLinkBins) >= blocks.end_us);
}

TEST_CASE("Step timeline block: tasks stand in the order in which they started") {
  HandMadeStep built(2);
  built.elementwise(0, 5);
  built.exchange(1, 7);
  ScheduledStep scheduled;
  scheduled.step = built.step();
  scheduled.lanes = {StepLane::compute, StepLane::exchange};
  StepRun run;
  run.start = {Instant{3us}, Instant{1us}};
  run.end = {Instant{8us}, Instant{8500ns}};
  JsonWriter writer(1);
  writer.begin_object();
  write_step_timeline(scheduled, run, writer);
  writer.end_object();
  CHECK(writer.take() ==
        "{\n  \"timeline\": {\"task_count\": 2, \"end_us\": 8.5, \"spans\": [{\"stream\": \"s1\", "
        "\"name\": \"exchange\", \"class\": \"communication\", \"layer\": -1, \"micro_batch\": -1, "
        "\"start_us\": 1, \"end_us\": 8.5}, {\"stream\": \"s0\", \"name\": \"elementwise\", "
        "\"class\": \"compute\", \"layer\": -1, \"micro_batch\": -1, \"start_us\": 3, \"end_us\": "
        "8}]}\n}\n");
}
