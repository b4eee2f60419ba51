#include "models/plan_builder.hpp"

#include <chrono>

#include <doctest/doctest.h>

#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

PlanBuilder one_rank() {
  return PlanBuilder("test", 1, 4, round_rates());
}

PlanBuilder with_agent() {
  PlanBuilder builder = one_rank();
  builder.begin_kernel({.rank = RankId{0}, .name = "kernel"});
  builder.begin_cta();
  builder.begin_agent(Role::sender);
  return builder;
}

}  // namespace

TEST_CASE("PlanBuilder: kernels, CTAs and agents own what is begun after them") {
  PlanBuilder builder("test", 2, 4, round_rates());
  builder.begin_kernel({.rank = RankId{0}, .name = "first"});
  builder.begin_cta();
  builder.begin_agent(Role::sender);
  builder.work(Phase::cast, 1ns);
  builder.work(Phase::send, 2ns);
  builder.begin_agent(Role::receiver);
  builder.work(Phase::receive, 3ns);
  builder.begin_cta();
  builder.begin_agent(Role::count_warp);
  builder.begin_kernel({.rank = RankId{1}, .name = "second", .after = 0});
  builder.begin_cta();
  builder.begin_agent(Role::sender);
  builder.work(Phase::send, 4ns);
  const Plan plan = builder.take();

  REQUIRE(plan.kernels.size() == 2);
  CHECK(plan.kernels[0].cta_count == 2);
  CHECK(plan.kernels[1].first_cta == 2);
  CHECK(plan.kernels[1].after == 0);
  REQUIRE(plan.ctas.size() == 3);
  CHECK(plan.ctas[0].agent_count == 2);
  CHECK(plan.ctas[1].first_agent == 2);
  REQUIRE(plan.agents.size() == 4);
  CHECK(plan.operations_of(plan.agents[0]).size() == 2);
  CHECK(plan.operations_of(plan.agents[1])[0].time == 3'000);
  CHECK(plan.operations_of(plan.agents[2]).empty());
  CHECK(plan.rank_of(plan.agents[2]) == RankId{0});
  CHECK(plan.rank_of(plan.agents[3]) == RankId{1});
}

TEST_CASE("PlanBuilder: flags and barriers are numbered in the order they were added") {
  PlanBuilder builder("test", 2, 4, round_rates());
  CHECK(builder.add_flag(RankId{0}) == FlagId{0});
  CHECK(builder.add_flags(RankId{1}, 3) == FlagId{1});
  CHECK(builder.add_flag(RankId{0}) == FlagId{4});
  CHECK(builder.add_barrier(5) == BarrierId{0});
  CHECK(builder.add_barrier(6) == BarrierId{1});
  const Plan plan = builder.take();
  CHECK(plan.flags[3].home == RankId{1});
  CHECK(plan.barriers[1].members == 6);
}

TEST_CASE("PlanBuilder: equal rate caps share an index, and index 0 is no cap") {
  PlanBuilder builder = one_rank();
  const std::uint16_t first = builder.rate_cap(Bandwidth{25e9});
  CHECK(first == 1);
  CHECK(builder.rate_cap(Bandwidth{50e9}) == 2);
  CHECK(builder.rate_cap(Bandwidth{25e9}) == first);
  CHECK(builder.take().rate_caps.size() == 3);
}

TEST_CASE("PlanBuilder: an operation takes 4.29 ms at most and no negative time") {
  // 32 bits of picoseconds: 2^32 - 1 = 4 294 967 295 ps.
  PlanBuilder builder = with_agent();
  CHECK_NOTHROW(builder.work(Phase::cast, Duration{4'294'967'295}));
  CHECK_THROWS_AS(builder.signal(Phase::cast, FlagId{0}, 1, Duration{4'294'967'296}), Bug);
  CHECK_THROWS_AS(builder.work(Phase::cast, Duration{-1}), Bug);
  CHECK_THROWS_AS(builder.fence(Phase::cast, FenceKind::proxy_async, 5ms), Bug);
  CHECK_THROWS_AS(builder.drain(Phase::wire, -1ns), Bug);
}

TEST_CASE("PlanBuilder: a transfer is below 4 GiB and not negative") {
  PlanBuilder builder = with_agent();
  CHECK_NOTHROW(builder.serve(Phase::receive, Bytes{4'294'967'295}, {}));
  CHECK_THROWS_AS(builder.serve(Phase::receive, Bytes{4'294'967'296}, {}), Bug);
  CHECK_THROWS_AS(builder.put(Phase::send, RankId{0}, Bytes{-1}, {}), Bug);
}

TEST_CASE("PlanBuilder: a part without the whole that it belongs to is a bug") {
  PlanBuilder builder = one_rank();
  CHECK_THROWS_AS(builder.work(Phase::cast, 1ns), Bug);
  CHECK_THROWS_AS(builder.begin_agent(Role::sender), Bug);
  CHECK_THROWS_AS(builder.begin_cta(), Bug);
}

TEST_CASE("PlanBuilder: a rank that the plan does not have, or a later kernel, is a bug") {
  PlanBuilder builder = with_agent();
  CHECK_THROWS_AS(builder.begin_kernel({.rank = RankId{1}, .name = "elsewhere"}), Bug);
  CHECK_THROWS_AS(builder.begin_kernel({.rank = RankId{0}, .name = "early", .after = 1}), Bug);
  CHECK_THROWS_AS(builder.put(Phase::send, RankId{1}, Bytes{1}, {}), Bug);
}
