#include "sim/execute.hpp"

#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "models/plan_builder.hpp"
#include "sim/base/check.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

using Times = std::vector<std::int64_t>;

std::string what_is_wrong(const Plan& plan) {
  try {
    (void)execute_round(plan);
  } catch (const Bug& bug) {
    return bug.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("execute: work and fences of one agent add up") {
  // 100 + 200 + 300 ns.
  HandMadePlan plan;
  plan.agent_on(0);
  plan.work(Phase::cast, 100ns);
  plan.fence(Phase::cast, FenceKind::proxy_async, 200ns);
  plan.work(Phase::cast, 300ns);
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.start) == Times{0, 100'000, 300'000});
  CHECK(ps(timeline.end) == Times{100'000, 300'000, 600'000});
  CHECK(ps(timeline.kernel_end) == Times{600'000});
}

TEST_CASE("execute: an agent without operations ends where it starts") {
  HandMadePlan plan;
  plan.agent_on(0, 70ns);
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.kernel_start) == Times{70'000});
  CHECK(ps(timeline.kernel_end) == Times{70'000});
}

TEST_CASE("execute: a flag is seen at home after its local latency, and a poll adds its own time") {
  // 100 ns of work, 100 ns of flight, 10 ns of poll.
  HandMadePlan plan;
  const FlagId flag = plan.add_flag(RankId{0});
  plan.agent_on(0);
  plan.work(Phase::cast, 100ns);
  plan.signal(Phase::signal, flag, 1, {}, Scope::gpu);
  plan.agent_on(0);
  plan.wait(Phase::wait, flag, 1, 10ns);
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{100'000, 100'000, 210'000});
}

TEST_CASE("execute: a signal of cta scope is seen at once") {
  HandMadePlan plan;
  const FlagId flag = plan.add_flag(RankId{0});
  plan.agent_on(0);
  plan.work(Phase::cast, 100ns);
  plan.signal(Phase::signal, flag, 1, {}, Scope::cta);
  plan.agent_on(0);
  plan.wait(Phase::wait, flag, 1);
  CHECK(ps(execute_round(plan.take()).end.back()) == 100'000);
}

TEST_CASE("execute: a flag at a peer is seen after the route's hops and the signal latency") {
  // The signal takes its agent 30 ns; then 2 hops of 100 ns and 800 ns: 30 + 1000.
  HandMadePlan plan(2);
  const FlagId flag = plan.add_flag(RankId{1});
  plan.agent_on(0);
  plan.signal(Phase::signal, flag, 1, 30ns);
  plan.agent_on(1);
  plan.wait(Phase::wait, flag, 1);
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{30'000, 1'030'000});
}

TEST_CASE("execute: a wait ends with the signal that brings the count, whoever sends it") {
  // Signals of 2 at 100 ns and of 3 at 200 ns, seen 100 ns later. Waits for 1 and 2 end at 200 ns,
  // for 3 and 5 at 300 ns. A wait that comes later costs its own time only.
  HandMadePlan plan;
  const FlagId flag = plan.add_flag(RankId{0});
  plan.agent_on(0, 100ns);
  plan.signal(Phase::signal, flag, 2);
  plan.agent_on(0, 200ns);
  plan.signal(Phase::signal, flag, 3);
  for (const std::uint32_t count : {1U, 2U, 3U, 5U}) {
    plan.begin_cta();
    plan.begin_agent(Role::receiver);
    plan.wait(Phase::wait, flag, count);
  }
  plan.agent_on(0, 1us);
  plan.wait(Phase::wait, flag, 4, 20ns);
  const Timeline timeline = execute_round(plan.take());
  // The waiters belong to the second kernel, which starts at 200 ns.
  CHECK(ps(timeline.end) == Times{100'000, 200'000, 200'000, 200'000, 300'000, 300'000, 1'020'000});
}

TEST_CASE("execute: a barrier opens for all when the last member is there, again and again") {
  // Members arrive at 100, 200, 300 ns; 46 ns later all go on. The second round: 346 + 100, 200,
  // 300, so 646 + 46 = 692 ns.
  HandMadePlan plan;
  const BarrierId group = plan.add_barrier(3);
  for (int member = 1; member <= 3; ++member) {
    plan.agent_on(0);
    for (int round = 0; round < 2; ++round) {
      plan.work(Phase::cast, member * 100ns);
      plan.barrier(Phase::cast, group, 46ns);
    }
  }
  const Timeline timeline = execute_round(plan.take());
  for (std::size_t member = 0; member < 3; ++member) {
    CHECK(ps(timeline.end[4 * member + 1]) == 346'000);
    CHECK(ps(timeline.end[4 * member + 3]) == 692'000);
  }
}

TEST_CASE("execute: a kernel after another starts a delay after its end, overheads included") {
  // First: start overhead 10, work 100, finish overhead 20: ends at 130. The second starts 50 ns
  // later, at 180, and its first instruction comes at 190.
  HandMadePlan plan;
  const KernelId first = plan.begin_kernel(
      {.rank = RankId{0}, .name = "first", .start_overhead = 10ns, .finish_overhead = 20ns});
  plan.begin_cta();
  plan.begin_agent(Role::sender);
  plan.work(Phase::cast, 100ns);
  plan.begin_kernel({.rank = RankId{0},
                     .name = "second",
                     .after = first.value,
                     .delay = 50ns,
                     .start_overhead = 10ns});
  plan.begin_cta();
  plan.begin_agent(Role::sender);
  plan.work(Phase::cast, 100ns);
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.kernel_start) == Times{0, 180'000});
  CHECK(ps(timeline.agent_start) == Times{10'000, 190'000});
  CHECK(ps(timeline.kernel_end) == Times{130'000, 290'000});
}

TEST_CASE("execute: CTAs beyond the SMs run in waves") {
  // Five CTAs of 100 ns on two SMs: two, two and one.
  const auto ends = [](std::uint16_t ctas_per_sm) {
    HandMadePlan plan(1, round_rates(), 2);
    plan.begin_kernel({.rank = RankId{0}, .name = "waves", .ctas_per_sm = ctas_per_sm});
    for (int c = 0; c < 5; ++c) {
      plan.begin_cta();
      plan.begin_agent(Role::sender);
      plan.work(Phase::cast, 100ns);
    }
    return ps(execute_round(plan.take()).end);
  };
  CHECK(ends(1) == Times{100'000, 100'000, 200'000, 200'000, 300'000});
  CHECK(ends(2) == Times{100'000, 100'000, 100'000, 100'000, 200'000});
  CHECK(ends(4) == Times{100'000, 100'000, 100'000, 100'000, 100'000});
}

TEST_CASE("execute: a kernel waits for SMs that another one holds, its start recorded at launch") {
  // Two SMs. The first kernel holds one until 500 ns; the second, launched at 0, has two CTAs of
  // 100 ns: one runs at once, the other after it.
  HandMadePlan plan(1, round_rates(), 2);
  plan.agent_on(0);
  plan.work(Phase::send, 500ns);
  plan.begin_kernel({.rank = RankId{0}, .name = "compute"});
  for (int c = 0; c < 2; ++c) {
    plan.begin_cta();
    plan.begin_agent(Role::sender);
    plan.work(Phase::cast, 100ns);
  }
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.kernel_start) == Times{0, 0});
  CHECK(ps(timeline.end) == Times{500'000, 100'000, 200'000});
}

TEST_CASE("execute: latency is counted from the last rank's start to the last rank's end") {
  // Rank 0 starts at 0 and ends at 1000 ns; rank 1 starts at 300 and ends at 400.
  HandMadePlan plan(2);
  plan.set_rank_start(RankId{1}, 300ns);
  plan.agent_on(0);
  plan.work(Phase::cast, 1000ns);
  plan.agent_on(1);
  plan.work(Phase::cast, 100ns);
  const Plan whole = plan.take();
  const Timeline timeline = execute_round(whole);
  CHECK(ps(timeline.kernel_start) == Times{0, 300'000});
  CHECK(ps(timeline.aligned_latency(whole)) == 700'000);
}

TEST_CASE("execute: latency of kernels of one name leaves the others out") {
  // "a": 0..100 on rank 0. "b" follows 50 ns later for 200 ns: 150..350. On rank 1 only "b",
  // 0..30. Of "a": 100 - 0. Of "b": last start 150, last end 350.
  HandMadePlan plan(2);
  const auto kernel = [&](const PlanBuilder::Launch& launch, Duration time) {
    const KernelId id = plan.begin_kernel(launch);
    plan.begin_cta();
    plan.begin_agent(Role::sender);
    plan.work(Phase::cast, time);
    return id;
  };
  const KernelId a = kernel({.rank = RankId{0}, .name = "a"}, 100ns);
  kernel({.rank = RankId{0}, .name = "b", .after = a.value, .delay = 50ns}, 200ns);
  kernel({.rank = RankId{1}, .name = "b"}, 30ns);
  const Plan whole = plan.take();
  const Timeline timeline = execute_round(whole);
  CHECK(ps(timeline.aligned_latency(whole, "a")) == 100'000);
  CHECK(ps(timeline.aligned_latency(whole, "b")) == 200'000);
  CHECK(ps(timeline.aligned_latency(whole)) == 350'000);
}

TEST_CASE("execute: a wait that nothing satisfies is a bug that names who waits") {
  HandMadePlan plan(2);
  const FlagId flag = plan.add_flag(RankId{1});
  plan.agent_on(0);
  plan.signal(Phase::signal, flag, 2);
  plan.agent_on(1);
  plan.work(Phase::cast, 100ns);
  plan.wait(Phase::wait, flag, 3);
  const std::string text = what_is_wrong(plan.take());
  CAPTURE(text);
  CHECK(text.find("hand-made: agent 1 (senders of rank 1) never ends") != std::string::npos);
  CHECK(text.find("target 0, count 3") != std::string::npos);
}

TEST_CASE("execute: a barrier that lacks a member is a bug") {
  HandMadePlan plan;
  const BarrierId group = plan.add_barrier(2);
  plan.agent_on(0);
  plan.barrier(Phase::cast, group);
  CHECK(what_is_wrong(plan.take()).find("never ends") != std::string::npos);
}

TEST_CASE("execute: a kernel without CTAs, or a CTA without agents, is a bug") {
  HandMadePlan no_cta;
  no_cta.begin_kernel({.rank = RankId{0}, .name = "empty"});
  CHECK(what_is_wrong(no_cta.take()).find("a kernel has CTAs") != std::string::npos);
  HandMadePlan no_agent;
  no_agent.begin_kernel({.rank = RankId{0}, .name = "empty"});
  no_agent.begin_cta();
  CHECK(what_is_wrong(no_agent.take()).find("a CTA has agents") != std::string::npos);
}

TEST_CASE("execute: a plan with more ranks than the topology has GPUs is a bug") {
  HandMadePlan plan(3);
  const Plan whole = plan.take();
  CHECK_THROWS_AS((void)execute(whole, *round_topology({.gpus = 2})), Bug);
}
