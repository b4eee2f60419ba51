#include "models/intranode.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "models/intranode_channels.hpp"
#include "sim/base/check.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/small_workloads.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Plan dispatch(const Workload& workload) {
  return plan_intranode_dispatch(workload, round_hardware(), round_intranode());
}
Plan combine(const Workload& workload) {
  return plan_intranode_combine(workload, round_hardware(), round_intranode());
}

// Bytes that puts of the plan carry from one rank to another.
std::int64_t put_bytes(const Plan& plan, const RankPair& pair) {
  const std::vector<RankId> ranks = operation_ranks(plan);
  std::int64_t bytes = 0;
  for (const std::size_t i : operations_of_kind(plan, OpKind::put))
    if (ranks[i] == pair.source && plan.operations[i].target == pair.target.value)
      bytes += plan.operations[i].count;
  return bytes;
}

// Counts that senders of rank 0 wait for, in order, where any: their credit.
std::vector<std::uint32_t> credits(const Plan& plan) {
  std::vector<std::uint32_t> counts;
  for (const Agent& agent : plan.agents) {
    if (agent.role != Role::sender || plan.rank_of(agent) != RankId{0}) continue;
    for (const Operation& operation : plan.operations_of(agent))
      if (operation.kind == OpKind::wait) counts.push_back(operation.count);
    if (!counts.empty()) return counts;  // the lead warp's; the others wait for the same
  }
  return counts;
}

Workload all_to_rank_1(std::size_t tokens) {
  return round_workload({.experts = 2, .top_k = 1, .tokens = {same_tokens(tokens, {1}), {}}}, 4);
}

}  // namespace

TEST_CASE("intranode: rings have the chunks and queues that DeepEP tunes by rank count") {
  const auto shape = [](const RingShape& ring) {
    return std::vector<std::int64_t>{ring.chunk, ring.queue};
  };
  using Shape = std::vector<std::int64_t>;
  CHECK(shape(dispatch_ring(2)) == Shape{24, 256});
  CHECK(shape(dispatch_ring(4)) == Shape{6, 256});
  CHECK(shape(dispatch_ring(8)) == Shape{6, 256});
  CHECK(shape(combine_ring(2)) == Shape{10, 256});
  CHECK(shape(combine_ring(4)) == Shape{9, 256});
  CHECK(shape(combine_ring(8)) == Shape{4, 256});
}

TEST_CASE("intranode: a pair of SMs is a channel, and an odd number or none is a bug") {
  Workload workload = all_to_rank_1(4);
  workload.sms = 4;
  CHECK(channel_count(workload) == 2);
  for (const std::int64_t sms : {std::int64_t{3}, std::int64_t{0}, std::int64_t{1}}) {
    CAPTURE(sms);
    workload.sms = sms;
    CHECK_THROWS_AS((void)dispatch(workload), Bug);
    CHECK_THROWS_AS((void)combine(workload), Bug);
  }
}

TEST_CASE("intranode: a warp copies a row in full trips of its unrolled loop and then singly") {
  // 7408 B are 463 vectors of 16 B. Unroll 5: 160 a trip, 2 full ones, 143 left are 5 single.
  // 14 336 B are 896 vectors. Unroll 4: 128 a trip, 7 full ones.
  CHECK(copy_trips(7408, 5) == 7);
  CHECK(copy_trips(14'336, 4) == 7);
  CHECK(copy_trips(16, 5) == 1);
  CHECK(copy_trips(0, 5) == 0);
}

TEST_CASE("intranode: rings carry a token once to each rank that hosts any of its experts") {
  // Rank 0, two experts a rank: token {0, 1} stays home; {2, 3} goes once to rank 1; {1, 2} goes to
  // both. So 2 rows to rank 0 and 2 to rank 1. Rank 1: {0, kMasked} goes to rank 0 only.
  Workload workload = round_workload(
      {.experts = 4, .top_k = 2, .tokens = {{{0, 1}, {2, 3}, {1, 2}}, {{0, kMasked}}}}, 4);
  workload.sms = 4;
  constexpr RankId kHome{0};
  constexpr RankId kPeer{1};
  const Plan out = dispatch(workload);  // 16 + 1024 + 32 = 1072 B a row
  CHECK(put_bytes(out, {kHome, kHome}) == 2 * 1072);
  CHECK(put_bytes(out, {kHome, kPeer}) == 2 * 1072);
  CHECK(put_bytes(out, {kPeer, kHome}) == 1 * 1072);
  CHECK(put_bytes(out, {kPeer, kPeer}) == 0);
  const Plan back = combine(workload);  // 2048 B a row, the other way
  CHECK(put_bytes(back, {kHome, kHome}) == 2 * 2048);
  CHECK(put_bytes(back, {kPeer, kHome}) == 2 * 2048);
  CHECK(put_bytes(back, {kHome, kPeer}) == 1 * 2048);
  CHECK(put_bytes(back, {kPeer, kPeer}) == 0);
}

TEST_CASE("intranode: a sender needs no credit until its ring could be full") {
  // Chunks of 24 in a ring of 256: the chunk that starts at row 240 is the first that does not fit
  // beside all rows before it. 240 rows need no credit; 600 rows need it from there on, each time
  // enough that 24 rows fit: 240 + 24 - 256 = 8, then 32, ...
  CHECK(credits(dispatch(all_to_rank_1(240))).empty());
  const auto counts = credits(dispatch(all_to_rank_1(600)));
  REQUIRE(counts.size() == 15);  // chunks that start at 240, 264, ..., 576
  for (std::size_t i = 0; i < counts.size(); ++i) CHECK(counts[i] == 8 + 24 * i);
}

TEST_CASE("intranode: a slow receiver makes the sender wait, and the ring never overflows") {
  // A chunk takes the receiver 3 us (two rounds of 12 warps and a step); with a step of 20 us it
  // takes 22, and the ring of 256 fills. The sender takes 9 us or so, once it scans for nothing.
  const Workload workload = all_to_rank_1(600);
  const Plan plan =
      plan_intranode_dispatch(workload,
                              round_hardware(),
                              round_intranode().with("receive_step", 20.0).with("token_scan", 0.0));
  const Timeline timeline = execute(plan, *workload.topology);
  struct Step {
    Instant at;
    std::int64_t rows;
  };
  std::vector<Step> steps;  // rows into the ring of rank 1, and out of it
  bool has_waited = false;
  std::size_t i = 0;
  for (const Agent& agent : plan.agents)
    for (const Operation& operation : plan.operations_of(agent)) {
      if (operation.kind == OpKind::put)
        steps.push_back({timeline.start[i], operation.count / 1072});
      if (operation.kind == OpKind::serve)
        steps.push_back({timeline.end[i], -std::int64_t{operation.count} / 1072});
      if (agent.role == Role::sender && operation.kind == OpKind::wait)
        has_waited = has_waited || timeline.end[i] - timeline.start[i] > 10us;
      ++i;
    }
  CHECK(has_waited);
  std::stable_sort(
      steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.at < b.at; });
  std::int64_t held = 0;
  std::int64_t most = 0;
  for (const Step& step : steps) most = std::max(most, held += step.rows);
  CHECK(held == 0);
  CHECK(most <= 256);
  CHECK(most > 256 - 24);
}

TEST_CASE("intranode: counts are exchanged by a kernel of their own, then the host launches") {
  Workload workload = all_to_rank_1(4);
  CHECK(dispatch(workload).kernels.size() == 2);
  workload.counted = true;
  const Plan plan = dispatch(workload);
  REQUIRE(plan.kernels.size() == 4);
  const Timeline timeline = execute(plan, *workload.topology);
  for (std::size_t k = 0; k < 4; ++k) {
    if (plan.kernels[k].name != "dispatch") continue;
    REQUIRE(plan.kernels[k].after >= 0);
    const auto notify = static_cast<std::size_t>(plan.kernels[k].after);
    CHECK(plan.kernels[notify].name == "notify");
    CHECK(plan.kernels[notify].rank == plan.kernels[k].rank);
    // notify_host is 1 us.
    CHECK(timeline.kernel_start[k] - timeline.kernel_end[notify] == 1us);
    // Three rounds, each a release of 1 us and a flag of 1 us under way, between 1 us at each end.
    CHECK(timeline.kernel_end[notify] - timeline.kernel_start[notify] == 8us);
  }
}

TEST_CASE("intranode: odd workloads give plans that run to their end, counted or not") {
  for (NamedWorkload& odd : odd_workloads()) {
    CAPTURE(odd.name);
    for (const bool counted : {false, true}) {
      CAPTURE(counted);
      odd.workload.counted = counted;
      odd.workload.sms = 4;
      for (const auto& plan_of : {dispatch, combine}) {
        const Plan plan = plan_of(odd.workload);
        CHECK(execute(plan, *odd.workload.topology).aligned_latency(plan) > Duration{});
      }
    }
  }
}

TEST_CASE("intranode: a combine reads one row of every source and reduces each token once") {
  // Tokens with 2, 1 and 1 sources: serves of 3 and 2 and 2 rows (the sources and the result).
  Workload workload =
      round_workload({.experts = 4, .top_k = 2, .tokens = {{{1, 2}, {2, 3}, {0, 1}}, {}}}, 4);
  const Plan plan = combine(workload);
  std::vector<std::int64_t> rows;
  for (const std::size_t i : operations_of_kind(plan, OpKind::serve))
    rows.push_back(plan.operations[i].count / 2048);
  CHECK(rows == std::vector<std::int64_t>{3, 2, 2});
}
