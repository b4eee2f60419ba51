// Bytes in motion: puts, drains, serves and loads of hand-made plans (sim/execute_transfers.cpp).
#include <chrono>
#include <tuple>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "models/plan_builder.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

using Times = std::vector<std::int64_t>;

void put_and_drain(HandMadePlan& plan, std::uint32_t target, Bytes size, Duration least = {}) {
  plan.put(Phase::send, RankId{target}, size, least);
  plan.drain(Phase::wire);
}

}  // namespace

TEST_CASE("put: alone it takes bytes over rate, and its acknowledgement the hops and latencies") {
  // 1000 B at 10 ps and 1 ps: the last byte leaves at 10.001 ns. It reaches the switch 100 ns later
  // and, cut-through, leaves it at once; 100 ns for the second hop, 100 until it is visible, 100
  // until it is acknowledged: 410.001 ns.
  HandMadePlan plan(2);
  plan.agent_on(0);
  put_and_drain(plan, 1, Bytes{1000});
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{10'001, 410'001});
}

TEST_CASE("put: a drain with nothing under way takes only its own time") {
  HandMadePlan plan(1);
  plan.agent_on(0);
  plan.drain(Phase::wire, 30ns);
  CHECK(ps(execute_round(plan.take()).end) == Times{30'000});
}

TEST_CASE("put: a sender slower than the link leaves when its own time is over") {
  // The agent needs 50 ns for what the link takes in 10: the last byte leaves at 50 ns.
  HandMadePlan plan(2);
  plan.agent_on(0);
  plan.put(Phase::send, RankId{1}, Bytes{1000}, 50ns);
  CHECK(ps(execute_round(plan.take()).end) == Times{50'000});
}

TEST_CASE("put: the slowest link of the route counts in full and hides the others") {
  // Up at 100 GB/s, down at 50 GB/s: 10 pieces of 1000 B need 10 x 20.001 ns of the down link. The
  // hops and latencies add 4 x 100 ns; of the up link less than one of its pieces remains.
  HandMadePlan plan(2);
  plan.agent_on(0);
  put_and_drain(plan, 1, Bytes{10'000});
  TopologyParts parts;
  parts.name = "uneven";
  parts.nodes = {{"gpu0", NodeKind::gpu}, {"gpu1", NodeKind::gpu}, {"s", NodeKind::nvswitch}};
  for (const auto& [source, target, rate] :
       {std::tuple{0U, 2U, 100e9}, {2U, 1U, 50e9}, {1U, 2U, 100e9}, {2U, 0U, 100e9}})
    parts.links.push_back({.source = NodeId{source},
                           .target = NodeId{target},
                           .bandwidth = Bandwidth{rate},
                           .latency = 100ns});
  const Timeline timeline = execute(plan.take(), Topology(std::move(parts)));
  constexpr std::int64_t kSlowest = 10 * 20'001 + 400'000;
  CHECK(ps(timeline.end.back()) >= kSlowest - 10'001);
  CHECK(ps(timeline.end.back()) <= kSlowest + 10'001);
}

TEST_CASE("put: two senders into one receiver share its link in turns") {
  // Ranks 0 and 1 each put 10 pieces to rank 2. Up, each has its own link: tails reach the switch
  // in pairs every 10.001 ns. Down, 20 pieces follow each other from 100 ns on: the last one, of
  // rank 1, leaves at 100 + 20 x 10.001 ns, and 300 ns later its drain ends. Rank 0 is one piece
  // earlier. Alone it would be 100 + 10 x 10.001 + 300.
  const auto drained = [](std::uint32_t senders) {
    HandMadePlan plan(3);
    for (std::uint32_t r = 0; r < senders; ++r) {
      plan.agent_on(r);
      put_and_drain(plan, 2, Bytes{10'000});
    }
    return execute_round(plan.take()).end;
  };
  const auto together = drained(2);
  CHECK(ps(together[1]) == 100'000 + 19 * 10'001 + 300'000);
  CHECK(ps(together[3]) == 100'000 + 20 * 10'001 + 300'000);
  CHECK(ps(drained(1)[1]) == 100'000 + 10 * 10'001 + 300'000);
}

TEST_CASE("put: pieces of two puts interleave, so that neither waits for the other's end") {
  // Two agents put 4000 B each through one link. In pieces of 1000 B they alternate, and the first
  // agent's last piece is the 7th of 8. Whole, the second starts when the first has left.
  const auto ends = [](Bytes chunk) {
    RankRates rates = round_rates();
    rates.put_chunk = chunk;
    HandMadePlan plan(2, rates);
    for (int agent = 0; agent < 2; ++agent) {
      plan.agent_on(0);
      plan.put(Phase::send, RankId{1}, Bytes{4000}, {});
    }
    return ps(execute_round(plan.take()).end);
  };
  CHECK(ends(Bytes{1000}) == Times{7 * 10'001, 8 * 10'001});
  CHECK(ends(Bytes{4000}) == Times{40'001, 80'002});
}

TEST_CASE("put: no more of its pieces are under way than the window allows") {
  // A window of one, and a copy path of 50 GB/s: a piece of 1000 B leaves after 20 ns and is
  // acknowledged 400 ns later; only then the next one is issued. The third leaves at 2 x 420 + 20.
  RankRates rates = round_rates();
  rates.put_window = 1;
  rates.put_path.rate = Bandwidth{50e9};
  HandMadePlan plan(2, rates);
  plan.agent_on(0);
  put_and_drain(plan, 1, Bytes{3000});
  CHECK(ps(execute_round(plan.take()).end) == Times{860'000, 1'260'000});
}

TEST_CASE("put: warps of one CTA pass its copy path one after the other, CTAs side by side") {
  // 1000 B at 50 GB/s are 20 ns, and 5 ns a message: 25 ns. In one CTA the second warp leaves at
  // 50 ns. In two CTAs both are ready at 25 ns; the link has been taken by the first since
  // 25 - 10.001 ns, so the second leaves 10.001 ns later.
  const auto ends = [](bool one_cta) {
    RankRates rates = round_rates();
    rates.put_path = {5ns, Bandwidth{50e9}};
    HandMadePlan plan(2, rates);
    plan.begin_kernel({.rank = RankId{0}, .name = "kernel"});
    plan.begin_cta();
    for (int agent = 0; agent < 2; ++agent) {
      if (agent == 1 && !one_cta) plan.begin_cta();
      plan.begin_agent(Role::sender);
      plan.put(Phase::send, RankId{1}, Bytes{1000}, {});
    }
    return ps(execute_round(plan.take()).end);
  };
  CHECK(ends(true) == Times{25'000, 50'000});
  CHECK(ends(false) == Times{25'000, 35'001});
}

TEST_CASE("put: one to the own rank goes through memory and crosses no link") {
  // 1000 B are read and written: 2000 B at 100 GB/s are 20 ns; visible 100 ns later. The agent is
  // free at once, because its copy path has no limit here.
  HandMadePlan plan(2);
  plan.agent_on(0);
  put_and_drain(plan, 0, Bytes{1000});
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{0, 120'000});
  CHECK(timeline.memory_bytes[0] == Bytes{2000});
  for (const Bytes bytes : timeline.link_bytes) CHECK(bytes == Bytes{0});
}

TEST_CASE("put: one of zero bytes arrives all the same") {
  // 1 ps on the first link; at the second the link was free: 1 + 100'000 + 300'000 ps.
  HandMadePlan plan(2);
  plan.agent_on(0);
  put_and_drain(plan, 1, Bytes{0});
  plan.agent_on(1);
  put_and_drain(plan, 1, Bytes{0});  // to the own rank: only its latency
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{1, 400'001, 0, 100'000});
}

TEST_CASE("put: bytes that leave arrive, on every link and in the uses that are recorded") {
  // Rank 0 sends 2500 B to 1 and 700 B to 2; rank 2 sends 1200 B to 1.
  HandMadePlan plan(3);
  plan.agent_on(0);
  put_and_drain(plan, 1, Bytes{2500});
  put_and_drain(plan, 2, Bytes{700});
  plan.agent_on(2);
  put_and_drain(plan, 1, Bytes{1200});
  const Timeline timeline = execute_round(plan.take(), {.record_link_uses = true});
  // Links by GPU: up, down.
  std::vector<std::int64_t> bytes;
  for (const Bytes size : timeline.link_bytes) bytes.push_back(size.count);
  CHECK(bytes == Times{3200, 0, 0, 3700, 1200, 700});
  // Pieces of at most 1000 B: 3 + 1 + 2, each on two links.
  CHECK(timeline.link_uses.size() == 12);
  std::vector<Duration> busy(6);
  for (const LinkUse& use : timeline.link_uses) busy[use.link.index()] += use.end - use.start;
  CHECK(busy == timeline.link_busy);
}

TEST_CASE("serve: two clients of one memory run at half its rate") {
  // 1000 B each at 50 GB/s: 20 ns, then 5 ns of their own. Ranks do not share: the third ends at
  // 10 + 5.
  HandMadePlan plan(2);
  for (const std::uint32_t rank : {0U, 0U, 1U}) {
    plan.agent_on(rank);
    plan.serve(Phase::receive, Bytes{1000}, 5ns);
  }
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{25'000, 25'000, 15'000});
  CHECK(timeline.memory_bytes == std::vector<Bytes>{Bytes{2000}, Bytes{1000}});
  CHECK(ps(timeline.memory_busy[0]) == 20'000);
}

TEST_CASE("serve: what a capped client leaves goes to the other") {
  // Capped at 25 GB/s: 1000 B take 40 ns. The other runs at 75 GB/s: 1000 B in 13.333... ns, so
  // 13 334 ps.
  HandMadePlan plan;
  const std::uint16_t cap = plan.rate_cap(Bandwidth{25e9});
  plan.agent_on(0);
  plan.serve(Phase::receive, Bytes{1000}, {}, cap);
  plan.agent_on(0);
  plan.serve(Phase::receive, Bytes{1000}, {});
  CHECK(ps(execute_round(plan.take()).end) == Times{40'000, 13'334});
}

TEST_CASE("serve: it moves its traffic factor, and ends no earlier than its SM's copy path") {
  // 1000 B that count double at 100 GB/s are 20 ns of memory for each of two warps of one CTA,
  // 40 ns when they share. Their copy path passes 1000 B in 5 + 50 ns: 55 and 110 ns.
  RankRates rates = round_rates();
  rates.serve_traffic = 2.0;
  rates.serve_path = {5ns, Bandwidth{20e9}};
  HandMadePlan plan(1, rates);
  plan.begin_kernel({.rank = RankId{0}, .name = "kernel"});
  plan.begin_cta();
  for (int warp = 0; warp < 2; ++warp) {
    plan.begin_agent(Role::receive_warp);
    plan.serve(Phase::receive, Bytes{1000}, {});
  }
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{55'000, 110'000});
  CHECK(timeline.memory_bytes[0] == Bytes{4000});
}

TEST_CASE("load: a ring of two stages brings the third row when the first has been handed back") {
  // Two loads of 1000 B share memory: moved at 20 ns, landed 100 ns later, at 120. The reader takes
  // 50 ns a row and hands the first back at 170. The third load is alone: 170 + 10 + 100 = 280. The
  // second row is read by 220, the third from 280 to 330 ns.
  HandMadePlan plan;
  const FlagId landed = plan.add_flag(RankId{0});
  const FlagId emptied = plan.add_flag(RankId{0});
  plan.begin_kernel({.rank = RankId{0}, .name = "ring"});
  plan.begin_cta();
  plan.begin_agent(Role::load_warp);
  plan.load(Phase::receive, Bytes{1000}, landed, 100ns);
  plan.load(Phase::receive, Bytes{1000}, landed, 100ns);
  plan.wait(Phase::receive, emptied, 1);
  plan.load(Phase::receive, Bytes{1000}, landed, 100ns);
  plan.begin_agent(Role::decode_warps);
  for (std::uint32_t row = 1; row <= 3; ++row) {
    plan.wait(Phase::receive, landed, row);
    plan.work(Phase::reduce, 50ns);
    plan.signal(Phase::reduce, emptied, 1, {}, Scope::cta);
  }
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{120'000,
                                  120'000,
                                  170'000,
                                  280'000,
                                  120'000,
                                  170'000,
                                  170'000,
                                  170'000,
                                  220'000,
                                  220'000,
                                  280'000,
                                  330'000,
                                  330'000});
}

TEST_CASE("load: it lands although its warp has ended, and the kernel ends with its warps") {
  HandMadePlan plan;
  const FlagId landed = plan.add_flag(RankId{0});
  plan.agent_on(0);
  plan.load(Phase::receive, Bytes{1000}, landed, 100ns);
  const Timeline timeline = execute_round(plan.take());
  CHECK(ps(timeline.end) == Times{110'000});
  CHECK(ps(timeline.kernel_end) == Times{0});
}

TEST_CASE("execute: the same plan gives the same timeline, event for event") {
  // Many ties: eight agents on each of three ranks put, serve and signal at the same instants.
  RankRates rates = round_rates();
  rates.put_window = 2;
  rates.put_path = {1ns, Bandwidth{50e9}};
  HandMadePlan plan(3, rates, 8);
  const FlagId flag = plan.add_flag(RankId{0});
  for (std::uint32_t a = 0; a < 24; ++a) {
    plan.agent_on(a % 3);
    put_and_drain(plan, (a + 1 + a / 12) % 3, Bytes{5500});
    plan.serve(Phase::receive, Bytes{3000}, 10ns);
    plan.signal(Phase::signal, flag);
    plan.wait(Phase::wait, flag, a / 2);
  }
  const Plan whole = plan.take();
  const Timeline once = execute_round(whole, {.record_link_uses = true});
  const Timeline again = execute_round(whole, {.record_link_uses = true});
  CHECK(once.start == again.start);
  CHECK(once.end == again.end);
  CHECK(once.kernel_end == again.kernel_end);
  CHECK(once.link_busy == again.link_busy);
  CHECK(once.event_count == again.event_count);
  REQUIRE(once.link_uses.size() == again.link_uses.size());
  for (std::size_t i = 0; i < once.link_uses.size(); ++i) {
    CHECK(once.link_uses[i].link == again.link_uses[i].link);
    CHECK(once.link_uses[i].start == again.link_uses[i].start);
  }
}
