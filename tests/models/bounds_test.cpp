#include "models/bounds.hpp"

#include <chrono>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "models/plan_builder.hpp"
#include "sim/execute.hpp"
#include "sim/prediction.hpp"
#include "tests/sim/random_workload.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

const Topology& machine() {
  static const Topology topology = load_topology("hgx-h200").topology;  // 450 GB/s links
  return topology;
}

RankRates rates() {
  RankRates rates{};
  rates.memory = Bandwidth{1e12};
  rates.serve_traffic = 2.0;
  rates.local_put_traffic = 1.0;
  rates.put_chunk = Bytes{2048};
  rates.put_window = 4;
  rates.link_efficiency = 1.0;
  return rates;
}

PlanBuilder one_agent(const RankRates& with) {
  PlanBuilder plan("test", 2, 4, with);
  plan.begin_kernel(
      {.rank = RankId{0}, .name = "k", .start_overhead = 1us, .finish_overhead = 500ns});
  plan.begin_cta();
  plan.begin_agent(Role::sender);
  return plan;
}

// Two GPUs with a NIC each on one switch; every link 10 GB/s.
Topology networked_pair() {
  TopologyParts parts;
  parts.name = "pair";
  for (const NodeKind kind :
       {NodeKind::gpu, NodeKind::nic, NodeKind::network_switch, NodeKind::nic, NodeKind::gpu})
    parts.nodes.push_back({"node" + std::to_string(parts.nodes.size()), kind});
  for (std::uint32_t n = 0; n < 4; ++n)
    for (const auto& [source, target] : {std::pair{n, n + 1}, std::pair{n + 1, n}})
      parts.links.push_back({.source = NodeId{source},
                             .target = NodeId{target},
                             .bandwidth = Bandwidth{10e9},
                             .latency = 100ns,
                             .kind = n == 0 || n == 3 ? LinkKind::pcie : LinkKind::rdma});
  return Topology(std::move(parts));
}

}  // namespace

TEST_CASE("Bounds: a link is busy for its bytes between the launch and the end") {
  PlanBuilder builder = one_agent(rates());
  builder.work(Phase::cast, 2us);
  for (int i = 0; i < 10; ++i) builder.put(Phase::send, RankId{1}, Bytes{45'000}, 0ns);
  builder.drain(Phase::wire);
  builder.work(Phase::store, 300ns);
  const Plan plan = builder.take();
  const Bounds bounds = bounds_of(plan, machine());

  // 450 000 B less one piece of 2048 B, at 450 GB/s: 995.448 ns, rounded down to picoseconds. Head:
  // 1 us of start and 2 us of work; tail: 0.3 us of work and 0.5 us of finish.
  const Bound& link = bounds.of(BoundKind::link);
  CHECK(link.busy == Duration{995'448});
  CHECK(link.latency == 3us + Duration{995'448} + 800ns);
  CHECK(link.bytes == Bytes{450'000});
  CHECK(name_of(link, plan, machine()) == "link gpu0->nvswitch0");
  // The agent alone: 1 + 2 + 0.3 + 0.5 us.
  CHECK(bounds.of(BoundKind::agent).latency == 3800ns);
  CHECK(bounds.of(BoundKind::memory).latency == 0ns);
  CHECK(bounds.tightest().kind == BoundKind::link);
}

TEST_CASE("Bounds: what is put and never drained bounds the first link alone") {
  PlanBuilder builder = one_agent(rates());
  builder.put(Phase::send, RankId{1}, Bytes{45'000}, 0ns);
  const Plan plan = builder.take();
  // The first link binds; that the switch's link would be the same shows that it was left out.
  CHECK(name_of(bounds_of(plan, machine()).of(BoundKind::link), plan, machine()) ==
        "link gpu0->nvswitch0");
}

TEST_CASE("Bounds: memory and the SM's copy path count what is served") {
  RankRates with = rates();
  with.serve_path = {100ns, Bandwidth{50e9}};
  PlanBuilder builder = one_agent(with);
  builder.serve(Phase::receive, Bytes{10'000}, 700ns);
  builder.serve(Phase::receive, Bytes{10'000}, 700ns);
  const Bounds bounds = bounds_of(builder.take(), machine());

  // Memory: 2 x 10 000 B x 2 at 1 TB/s = 40 ns (a picosecond less for rounding), then 700 ns.
  CHECK(bounds.of(BoundKind::memory).latency >= 1us + Duration{39'999} + 700ns + 500ns);
  CHECK(bounds.of(BoundKind::memory).latency <= 1us + 40ns + 700ns + 500ns);
  // SM: 2 x (100 ns + 10 000 B / 50 GB/s = 200 ns) = 600 ns, then 700 ns.
  CHECK(bounds.of(BoundKind::sm).latency >= 1us + Duration{599'998} + 700ns + 500ns);
  CHECK(bounds.of(BoundKind::sm).latency <= 1us + 600ns + 700ns + 500ns);
}

TEST_CASE("Bounds: a load that nobody waits for bounds nothing") {
  PlanBuilder builder = one_agent(rates());
  const FlagId landed = builder.add_flag(RankId{0});
  builder.load(Phase::receive, Bytes{1'000'000}, landed, 0ns);
  Plan plan = builder.take();
  CHECK(bounds_of(plan, machine()).of(BoundKind::memory).latency == 0ns);

  PlanBuilder waiting = one_agent(rates());
  const FlagId flag = waiting.add_flag(RankId{0});
  waiting.load(Phase::receive, Bytes{1'000'000}, flag, 0ns);
  waiting.wait(Phase::receive, flag, 1);
  CHECK(bounds_of(waiting.take(), machine()).of(BoundKind::memory).latency > 2us);
}

TEST_CASE(
    "Bounds: a kernel comes after the one it follows, and counts from the last rank's start") {
  PlanBuilder builder = one_agent(rates());
  builder.work(Phase::cast, 2us);
  builder.begin_kernel({.rank = RankId{0},
                        .name = "second",
                        .after = 0,
                        .delay = 10us,
                        .start_overhead = 1us,
                        .finish_overhead = 500ns});
  builder.begin_cta();
  builder.begin_agent(Role::receiver);
  builder.work(Phase::receive, 4us);
  builder.set_rank_start(RankId{0}, 3us);
  // First kernel 1 + 2 + 0.5 us, gap 10 us, second 1 + 4 + 0.5 us. The launch at 3 us is where a
  // latency starts to count.
  CHECK(bounds_of(builder.take(), machine()).tightest().latency == 19us);
}

TEST_CASE("Bounds: no prediction is faster than any of its bounds") {
  const Calibration calibration = load_calibration("hgx-h200");
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    const RandomWorkload random = random_workload(seed);
    const KernelFamily& family = calibration.family(random.kind->name);
    for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
      const Prediction prediction =
          predict(operation, random.workload, *random.kind, calibration.hardware, family.constants);
      for (const Bound& bound : bounds_of(prediction.plan, machine()).of_kind) {
        CAPTURE(kBoundKindNames[static_cast<std::size_t>(bound.kind)]);
        CHECK(bound.latency <= prediction.latency);
      }
    }
  }
}

TEST_CASE("Bounds: a link of the network is busy for what is posted, if its atomic is awaited") {
  const Topology pair = networked_pair();
  for (const bool is_awaited : {true, false}) {
    CAPTURE(is_awaited);
    PlanBuilder builder = one_agent(rates());
    builder.set_nic({.latency = 3us, .wire_efficiency = 0.9});
    const QueuePairId queue = builder.add_queue_pairs(RankId{0}, RankId{1}, 1);
    const FlagId flag = builder.add_flag(RankId{1});
    for (int i = 0; i < 10; ++i) builder.post(Phase::send, queue, Bytes{45'000}, 200ns);
    builder.post_signal(Phase::signal, queue, flag, 1, 0ns);
    builder.begin_kernel({.rank = RankId{1}, .name = "k", .finish_overhead = 500ns});
    builder.begin_cta();
    builder.begin_agent(Role::receiver);
    if (is_awaited) builder.wait(Phase::wait, flag, 1);
    const Plan plan = builder.take();
    const Bound link = bounds_of(plan, pair).of(BoundKind::link);
    if (!is_awaited) {
      CHECK(link.latency == 0us);
      continue;
    }
    // 450 000 B less one piece of 2048 B, at 9 GB/s: 49 772.444 ns. Head: 1 us of start and the
    // first post's 0.2 us; tail: 3 us until it is seen and 0.5 us of finish.
    CHECK(link.busy == Duration{49'772'444});
    CHECK(link.latency == 1200ns + Duration{49'772'444} + 3500ns);
    CHECK(name_of(link, plan, pair) == "link node1->node2");
    CHECK(execute(plan, pair).aligned_latency(plan) >= link.latency);
  }
}
