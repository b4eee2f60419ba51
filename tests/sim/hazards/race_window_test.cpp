#include "sim/hazards/race_window.hpp"

#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "tests/support/hand_made_plan.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

std::optional<RaceWindow> window_of(const Plan& plan, RacePair pair, RaceOptions options = {}) {
  return race_windows(plan, *round_topology({.gpus = plan.rank_count}), std::vector{pair}, options)
      .front();
}

}  // namespace

TEST_CASE("race window: what nothing orders is as close as the delays make it") {
  // Operation 0 ends at 3 us on rank 0; operation 2 starts at 10 us on rank 1: 7 us. With rank 0
  // 20 us late, or its operation 20 us longer, it is 7 - 20 = -13 us.
  HandMadePlan builder(2);
  builder.agent_on(0);
  builder.work(Phase::send, 3us);
  builder.agent_on(1);
  builder.work(Phase::reduce, 10us);
  builder.work(Phase::reduce, 1us);
  const auto window = window_of(builder.take(), {0, 2});
  REQUIRE(window);
  CHECK(window->gap_us == doctest::Approx(7.0));
  CHECK(window->least_gap_us == doctest::Approx(-13.0));
}

TEST_CASE("race window: what a flag orders is never closer than the flag's way") {
  // Operation 0 ends at 3 us; the signal arrives at the peer 1 us later, and the wait takes no time
  // of its own: the work behind it starts 1 us after operation 0 has ended, whoever is late.
  HandMadePlan builder(2);
  const FlagId flag = builder.add_flag(RankId{1});
  builder.agent_on(0);
  builder.work(Phase::send, 3us);
  builder.signal(Phase::signal, flag);
  builder.agent_on(1);
  builder.wait(Phase::wait, flag, 1);
  builder.work(Phase::reduce, 1us);
  const auto window = window_of(builder.take(), {0, 3});
  REQUIRE(window);
  CHECK(window->gap_us == doctest::Approx(1.0));
  CHECK(window->least_gap_us == doctest::Approx(1.0));
}

TEST_CASE("race window: an operation that stalls is found on one rank too") {
  // Both agents are on rank 0, so that a late rank moves both: 10 - 3 = 7 us. The first operation
  // alone 20 us longer leaves 10 - 23 = -13 us.
  HandMadePlan builder(1);
  builder.agent_on(0);
  builder.work(Phase::send, 3us);
  builder.agent_on(0);
  builder.work(Phase::reduce, 10us);
  builder.work(Phase::reduce, 1us);
  const Plan plan = builder.take();
  CHECK(window_of(plan, {0, 2})->least_gap_us == doctest::Approx(-13.0));
  CHECK(window_of(plan, {0, 2}, {.late = 5us})->least_gap_us == doctest::Approx(2.0));
  // No run beyond the planned one: nobody is late.
  CHECK(window_of(plan, {0, 2}, {.most_runs = 0})->least_gap_us == doctest::Approx(7.0));
}

TEST_CASE("race window: operations that the plan does not have are a bug, and no pairs are none") {
  HandMadePlan builder(1);
  builder.agent_on(0);
  builder.work(Phase::send, 3us);
  const Plan plan = builder.take();
  CHECK(race_windows(plan, *round_topology({.gpus = 1}), {}).empty());
  CHECK_THROWS_AS((void)window_of(plan, {0, 1}), Bug);
}
