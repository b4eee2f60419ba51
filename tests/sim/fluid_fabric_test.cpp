// Puts as fluid flows: the second way to share links, and what it says of the first.
#include <cmath>

#include <doctest/doctest.h>

#include "models/low_latency.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// When the last agent of a plan has its acknowledgement.
Instant last_end(const Plan& plan, bool fluid) {
  const Timeline timeline = execute_round(plan, {.fluid_fabric = fluid});
  return *std::max_element(timeline.end.begin(), timeline.end.end());
}

}  // namespace

TEST_CASE("fluid fabric: one put takes its bytes at the link's rate, then the way and back") {
  // 100 kB at 100 GB/s: 1 us. Two hops of 100 ns, visible after 100 ns, acknowledged after 100 ns.
  HandMadePlan plan(2);
  plan.agent_on(0);
  plan.put(Phase::send, RankId{1}, Bytes{100'000}, {});
  plan.drain(Phase::wire);
  CHECK(last_end(plan.take(), true) == Instant{1400ns});
}

TEST_CASE("fluid fabric: two senders share the receiver's link, each at half its rate") {
  // Rank 2's link carries 2 x 100 kB at 100 GB/s: both end at 2 us, and 400 ns later they know.
  HandMadePlan plan(3);
  for (const std::uint32_t sender : {0U, 1U}) {
    plan.agent_on(sender);
    plan.put(Phase::send, RankId{2}, Bytes{100'000}, {});
    plan.drain(Phase::wire);
  }
  CHECK(last_end(plan.take(), true) == Instant{2400ns});
}

TEST_CASE("fluid fabric: a put is no faster than its own least time") {
  // 100 kB need 1 us of the link but 3 us of the warp.
  HandMadePlan plan(2);
  plan.agent_on(0);
  plan.put(Phase::send, RankId{1}, Bytes{100'000}, 3us);
  plan.drain(Phase::wire);
  CHECK(last_end(plan.take(), true) == Instant{3400ns});
}

TEST_CASE("fluid fabric: pieces and flows agree on a crossing of unequal puts") {
  // Rank 0 sends 100 kB to rank 2 and 300 kB to rank 1; rank 1 sends 200 kB to rank 2. Whatever
  // shares what, rank 0's uplink carries 400 kB: 4 us, and 400 ns. Pieces of 1000 B round up by 1
  // ps each.
  HandMadePlan plan(3);
  plan.agent_on(0);
  plan.put(Phase::send, RankId{2}, Bytes{100'000}, {});
  plan.drain(Phase::wire);
  plan.agent_on(0);
  plan.put(Phase::send, RankId{1}, Bytes{300'000}, {});
  plan.drain(Phase::wire);
  plan.agent_on(1);
  plan.put(Phase::send, RankId{2}, Bytes{200'000}, {});
  plan.drain(Phase::wire);
  const Plan made = plan.take();
  CHECK(last_end(made, true) == Instant{4400ns});
  CHECK(std::abs(to_ns(last_end(made, false) - last_end(made, true))) < 25.0);
}
