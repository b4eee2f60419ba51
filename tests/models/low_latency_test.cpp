#include "models/low_latency.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/small_workloads.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Plan dispatch(const Workload& workload) {
  return plan_low_latency_dispatch(workload, round_hardware(), round_low_latency());
}
Plan combine(const Workload& workload) {
  return plan_low_latency_combine(workload, round_hardware(), round_low_latency());
}

// Bytes on the up link of each GPU.
std::vector<std::int64_t> sent(const Plan& plan, const Workload& workload) {
  const Timeline timeline = execute(plan, *workload.topology);
  std::vector<std::int64_t> bytes;
  for (std::size_t r = 0; r < plan.rank_count; ++r)
    bytes.push_back(timeline.link_bytes[2 * r].count);
  return bytes;
}

using Launch = std::vector<std::uint32_t>;

Launch numbers(const LowLatencyLaunch& launch) {
  return {launch.groups_per_cta, launch.warps_per_group, launch.cta_count};
}

// Two ranks, eight experts. `count` tokens of rank 0 choose expert 4, on rank 1, and one of the
// others in turn.
Workload hot_expert(std::size_t count) {
  std::vector<TokenChoices> tokens;
  for (std::size_t t = 0; t < count; ++t) tokens.push_back({4, static_cast<ExpertChoice>(t % 4)});
  return round_workload({.experts = 8, .top_k = 2, .tokens = {tokens, {}}}, 4);
}

}  // namespace

TEST_CASE("low latency: the launch shape is that of the kernels on 132 SMs") {
  // G = ceil(E / 132) groups, 32 / G warps each, ceil(E / G) CTAs.
  CHECK(numbers(dispatch_launch(256, 132)) == Launch{2, 16, 128});
  CHECK(numbers(dispatch_launch(128, 132)) == Launch{1, 32, 128});
  CHECK(numbers(dispatch_launch(64, 132)) == Launch{1, 32, 64});
  CHECK(numbers(dispatch_launch(288, 132)) == Launch{3, 10, 96});
  CHECK(numbers(dispatch_launch(1, 132)) == Launch{1, 32, 1});
}

TEST_CASE("low latency: a combine has a CTA a token where tokens outnumber the groups") {
  // ceil(T / ceil(T / SMs)): 1024 tokens on 132 SMs are 8 a CTA, 128 CTAs; on 148 SMs 7 and 147.
  for (const std::uint32_t tokens : {0U, 1U, 128U, 256U, 512U, 1024U}) {
    CAPTURE(tokens);
    CHECK(numbers(combine_launch(256, 132, tokens)) == Launch{2, 16, 128});
  }
  CHECK(numbers(combine_launch(256, 148, 1024)) == Launch{2, 16, 147});
  CHECK(combine_launch(64, 132, 128).cta_count == 128);
  CHECK(combine_launch(64, 132, 40).cta_count == 64);
}

TEST_CASE("low latency: more experts than warps is a bug") {
  // Groups of one warp are more than DeepEP itself launches: ll-many-experts asks for them.
  CHECK(numbers(dispatch_launch(4096, 132)) == Launch{32, 1, 128});
  CHECK_NOTHROW((void)dispatch_launch(32 * 132, 132));
  CHECK_THROWS_AS((void)dispatch_launch(32 * 132 + 1, 132), Bug);
  CHECK_THROWS_AS((void)dispatch_launch(0, 132), Bug);
}

TEST_CASE("low latency: a dispatch sends one message a choice that leaves its rank") {
  // Rank 0: three tokens to experts 0 (own) and 2: three messages of 16 + 1024 + 32 = 1072 B. Rank
  // 1: one token to expert 3, its own: none.
  const Workload workload =
      round_workload({.experts = 4, .top_k = 2, .tokens = {same_tokens(3, {0, 2}), {{3, -1}}}}, 4);
  CHECK(sent(dispatch(workload), workload) == std::vector<std::int64_t>{3 * 1072, 0});
}

TEST_CASE("low latency: a combine sends one row a choice back to where the token came from") {
  // The three rows of expert 2 come back from rank 1: 2048 B each in BF16, 2048 x 10/16 + 32 = 1312
  // in LogFMT-10.
  Workload workload =
      round_workload({.experts = 4, .top_k = 2, .tokens = {same_tokens(3, {0, 2}), {{3, -1}}}}, 4);
  CHECK(sent(combine(workload), workload) == std::vector<std::int64_t>{0, 3 * 2048});
  workload.combine_format = CombineFormat::logfmt10;
  CHECK(sent(combine(workload), workload) == std::vector<std::int64_t>{0, 3 * 1312});
}

TEST_CASE("low latency: a placement moves the traffic with its experts") {
  // Expert 1 lives on rank 0 in blocks, on rank 1 round-robin: five messages stay or leave.
  Workload workload =
      round_workload({.experts = 4, .top_k = 1, .tokens = {same_tokens(5, {1}), {}}}, 4);
  CHECK(sent(dispatch(workload), workload) == std::vector<std::int64_t>{0, 0});
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::round_robin({.ranks = 2, .experts = 4}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  CHECK(sent(dispatch(workload), workload) == std::vector<std::int64_t>{5 * 1072, 0});
  CHECK(sent(combine(workload), workload) == std::vector<std::int64_t>{0, 5 * 2048});
}

TEST_CASE("low latency: the warp group of a hot expert sends its rows last in a combine") {
  // 40 rows of expert 4 on 16 warps: the busiest warps send three. Of each other expert 10 rows:
  // one a warp. A row costs its warp 1 + 1 us; three rows end after six, all others after two.
  const Workload workload = hot_expert(40);
  const Plan plan = plan_low_latency_combine(
      workload, round_hardware(), round_low_latency().with("combine_sm_block", 0.001));
  const Timeline timeline = execute(plan, *workload.topology);
  Instant last_hot{};
  Instant last_cold{};
  for (const Agent& agent : plan.agents) {
    if (agent.role != Role::combine_warp) continue;
    const auto operations = plan.operations_of(agent);
    const auto rows = std::count_if(operations.begin(), operations.end(), [](const Operation& o) {
      return o.kind == OpKind::put;
    });
    Instant& last = rows == 3 ? last_hot : last_cold;
    if (rows == 2) continue;
    const auto last_put = agent.first_operation + static_cast<std::size_t>(rows) - 1;
    last = std::max(last, timeline.end[last_put]);
  }
  // Kernel start 1 us, prologue 1 us; 2 us a row.
  CHECK(last_cold >= Instant{4us});
  CHECK(last_cold < Instant{5us});
  CHECK(last_hot >= Instant{8us});
  CHECK(last_hot < Instant{9us});
}

TEST_CASE("low latency: a hot expert costs more than the same bytes spread over experts") {
  const Workload hot =
      round_workload({.experts = 8, .top_k = 1, .tokens = {same_tokens(64, {4}), {}}}, 4);
  std::vector<TokenChoices> tokens;
  for (int t = 0; t < 64; ++t) tokens.push_back({static_cast<ExpertChoice>(4 + t % 4)});
  const Workload spread = round_workload({.experts = 8, .top_k = 1, .tokens = {tokens, {}}}, 4);
  for (const auto& plan_of : {dispatch, combine}) {
    const Plan hot_plan = plan_of(hot);
    const Plan spread_plan = plan_of(spread);
    CHECK(sent(hot_plan, hot) == sent(spread_plan, spread));
    CHECK(execute(hot_plan, *hot.topology).aligned_latency(hot_plan) >
          execute(spread_plan, *spread.topology).aligned_latency(spread_plan));
  }
}

TEST_CASE("low latency: odd workloads give plans that run to their end, at every placement") {
  for (NamedWorkload& odd : odd_workloads()) {
    CAPTURE(odd.name);
    for (const bool split : {false, true}) {
      CAPTURE(split);
      odd.workload.split = {.split = split, .gap = 5us};
      const Plan sends = dispatch(odd.workload);
      CHECK(execute(sends, *odd.workload.topology).aligned_latency(sends) > Duration{});
      for (std::size_t p = 0; p < kFencePlacementNames.size(); ++p) {
        CAPTURE(kFencePlacementNames[p]);
        odd.workload.fence = static_cast<FencePlacement>(p);
        const Plan rows = combine(odd.workload);
        CHECK(execute(rows, *odd.workload.topology).aligned_latency(rows) > Duration{});
      }
    }
  }
}

TEST_CASE("low latency: without tokens a dispatch and a combine move no bytes and still meet") {
  const Workload workload = round_workload({.experts = 8, .top_k = 2, .tokens = {{}, {}}}, 4);
  for (const auto& plan_of : {dispatch, combine}) {
    const Plan plan = plan_of(workload);
    const Timeline timeline = execute(plan, *workload.topology);
    for (const Bytes bytes : timeline.link_bytes) CHECK(bytes == Bytes{0});
    for (const Bytes bytes : timeline.memory_bytes) CHECK(bytes == Bytes{0});
    // A flag from the peer is at least 1 us under way.
    CHECK(timeline.aligned_latency(plan) > 1us);
  }
}

TEST_CASE("low latency: split mode gives two kernels a rank, the second a gap after the first") {
  Workload workload = hot_expert(4);
  workload.split = {.split = true, .gap = 50us};
  for (const auto& plan_of : {dispatch, combine}) {
    const Plan plan = plan_of(workload);
    REQUIRE(plan.kernels.size() == 4);
    const Timeline timeline = execute(plan, *workload.topology);
    for (const std::size_t send : {std::size_t{0}, std::size_t{2}}) {
      CHECK(plan.kernels[send].name.ends_with("send"));
      CHECK(plan.kernels[send + 1].name.ends_with("receive"));
      CHECK(timeline.kernel_start[send + 1] - timeline.kernel_end[send] == 50us);
    }
  }
}

TEST_CASE("low latency: the send half of a split returns before its messages are received") {
  // Rank 1 starts 100 us late. The send kernel of rank 0 does not wait for it, its receive kernel
  // does.
  Workload workload = hot_expert(4);
  workload.split.split = true;
  workload.rank_start[1] = 100us;
  const Plan plan = dispatch(workload);
  const Timeline timeline = execute(plan, *workload.topology);
  CHECK(timeline.kernel_end[0] < Instant{100us});
  CHECK(timeline.kernel_end[1] > Instant{100us});
}

TEST_CASE("low latency: a fused dispatch ends only when the count of every rank is there") {
  Workload workload = hot_expert(4);
  workload.rank_start[1] = 100us;
  const Plan plan = dispatch(workload);
  const Timeline timeline = execute(plan, *workload.topology);
  for (const Instant end : timeline.kernel_end) CHECK(end > Instant{100us});
}
