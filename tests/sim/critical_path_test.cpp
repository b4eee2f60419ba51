#include "sim/critical_path.hpp"

#include <array>
#include <chrono>
#include <numeric>

#include <doctest/doctest.h>

#include "models/plan_builder.hpp"
#include "sim/execute.hpp"
#include "sim/prediction.hpp"
#include "tests/sim/random_workload.hpp"
#include "tests/support/round_hosts.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

const Topology& machine() {
  static const Topology topology = load_topology("hgx-h200").topology;  // two hops of 250 ns
  return topology;
}

PlanBuilder two_ranks() {
  RankRates rates{};
  rates.memory = Bandwidth{1e12};
  rates.serve_traffic = 1.0;
  rates.put_chunk = Bytes{2048};
  rates.put_window = 4;
  rates.link_efficiency = 1.0;
  rates.signal_latency = 700ns;
  rates.local_signal = 300ns;
  return PlanBuilder("test", 2, 4, rates);
}

void begin(PlanBuilder& plan, std::uint32_t rank) {
  plan.begin_kernel(
      {.rank = RankId{rank}, .name = "k", .start_overhead = 1us, .finish_overhead = 500ns});
  plan.begin_cta();
  plan.begin_agent(Role::sender);
}

CriticalPath path_of(PlanBuilder& builder) {
  const Plan plan = builder.take();
  return critical_path(plan, execute(plan, machine()), machine());
}

Duration sum(const CriticalPath& path) {
  return std::accumulate(path.by_phase.begin(), path.by_phase.end(), Duration{});
}

}  // namespace

TEST_CASE("CriticalPath: a blocked wait leads to the signal that let it go") {
  PlanBuilder plan = two_ranks();
  const FlagId flag = plan.add_flag(RankId{1});
  begin(plan, 0);
  plan.work(Phase::cast, 10us);
  plan.signal(Phase::store, flag, 1, 100ns);
  begin(plan, 1);
  plan.work(Phase::reduce, 2us);
  plan.wait(Phase::wait, flag, 1, 50ns);
  plan.work(Phase::receive, 5us);
  const CriticalPath path = path_of(plan);

  // Rank 0: 1 us of start, 10 us of cast, 0.1 us to signal; flight 0.7 us + 2 x 0.25 us; rank 1:
  // 0.05 us of poll, 5 us, 0.5 us of finish. Its first 2 us were not waited for.
  CHECK(path.of(Phase::launch) == 1500ns);
  CHECK(path.of(Phase::cast) == 10us);
  CHECK(path.of(Phase::store) == 100ns);
  CHECK(path.of(Phase::signal) == 1200ns);
  CHECK(path.of(Phase::wait) == 50ns);
  CHECK(path.of(Phase::receive) == 5us);
  CHECK(path.of(Phase::reduce) == 0us);
  CHECK(sum(path) == 17'850ns);
}

TEST_CASE("CriticalPath: a wait that did not block stays with its agent") {
  PlanBuilder plan = two_ranks();
  const FlagId flag = plan.add_flag(RankId{0});
  begin(plan, 0);
  plan.signal(Phase::signal, flag, 1, 100ns);
  plan.work(Phase::cast, 10us);
  plan.wait(Phase::wait, flag, 1, 50ns);
  const CriticalPath path = path_of(plan);
  CHECK(path.of(Phase::cast) == 10us);
  CHECK(path.of(Phase::signal) == 100ns);
  CHECK(path.of(Phase::wait) == 50ns);
}

TEST_CASE("CriticalPath: the signal that brings a flag to its count is the one that counts") {
  PlanBuilder plan = two_ranks();
  const FlagId flag = plan.add_flag(RankId{0});
  begin(plan, 0);
  plan.wait(Phase::wait, flag, 2);
  const std::array kWork = {Phase::cast, Phase::send, Phase::store};
  const std::array kTimes = {Duration{3us}, Duration{7us}, Duration{9us}};
  for (std::size_t i = 0; i < 3; ++i) {
    plan.begin_agent(Role::sender);
    plan.work(kWork[i], kTimes[i]);
    plan.signal(Phase::signal, flag);
  }
  // Two of three are enough: the second comes at 7 us, yet the kernel ends with the third at 9 us.
  plan.begin_agent(Role::sender);
  plan.wait(Phase::wait, flag, 2);
  plan.work(Phase::reduce, 6us);
  const CriticalPath path = path_of(plan);
  CHECK(path.of(Phase::send) == 7us);
  CHECK(path.of(Phase::signal) == 300ns);
  CHECK(path.of(Phase::reduce) == 6us);
  CHECK(path.of(Phase::cast) == 0us);
}

TEST_CASE("CriticalPath: a signal of cta scope has no flight and overtakes others") {
  PlanBuilder plan = two_ranks();
  const FlagId flag = plan.add_flag(RankId{0});
  begin(plan, 0);
  plan.work(Phase::cast, 3us);
  plan.signal(Phase::signal, flag);  // seen at 3.3 us
  plan.begin_agent(Role::sender);
  plan.work(Phase::send, 3100ns);
  plan.signal(Phase::signal, flag, 1, {}, Scope::cta);  // seen at 3.1 us
  plan.begin_agent(Role::receiver);
  plan.wait(Phase::wait, flag, 1);
  plan.work(Phase::reduce, 6us);
  const CriticalPath path = path_of(plan);
  CHECK(path.of(Phase::send) == 3100ns);
  CHECK(path.of(Phase::signal) == 0us);
  CHECK(path.of(Phase::cast) == 0us);
}

TEST_CASE("CriticalPath: a barrier leads to the member that came last, round by round") {
  PlanBuilder plan = two_ranks();
  const BarrierId barrier = plan.add_barrier(2);
  begin(plan, 0);
  plan.work(Phase::cast, 5us);
  plan.barrier(Phase::wait, barrier, 10ns);
  plan.work(Phase::cast, 1us);
  plan.barrier(Phase::wait, barrier, 10ns);
  plan.begin_agent(Role::receiver);
  plan.work(Phase::send, 2us);
  plan.barrier(Phase::wait, barrier, 10ns);
  plan.work(Phase::send, 4us);
  plan.barrier(Phase::wait, barrier, 10ns);
  const CriticalPath path = path_of(plan);
  CHECK(path.of(Phase::cast) == 5us);  // first round
  CHECK(path.of(Phase::send) == 4us);  // second
  CHECK(path.of(Phase::wait) == 20ns);
}

TEST_CASE("CriticalPath: a wait for a load leads to the load") {
  PlanBuilder plan = two_ranks();
  const FlagId landed = plan.add_flag(RankId{0});
  begin(plan, 0);
  plan.work(Phase::cast, 1us);
  plan.load(Phase::receive, Bytes{1'000'000}, landed, 200ns);
  plan.work(Phase::send, 100ns);
  plan.begin_agent(Role::decode_warps);
  plan.wait(Phase::wait, landed, 1);
  plan.work(Phase::reduce, 2us);
  const CriticalPath path = path_of(plan);
  // 1 MB at 1 TB/s is 1 us, and 0.2 us until it has landed.
  CHECK(path.of(Phase::cast) == 1us);
  CHECK(path.of(Phase::receive) == 1200ns);
  CHECK(path.of(Phase::send) == 0us);
  CHECK(path.of(Phase::reduce) == 2us);
}

TEST_CASE("CriticalPath: what a put takes beyond its own time is wire") {
  PlanBuilder plan = two_ranks();
  begin(plan, 0);
  plan.put(Phase::send, RankId{1}, Bytes{2048}, 1us);
  // A second agent finds the link free: both put in 1 us. 450 kB take 1 us, of which 100 ns own.
  plan.begin_agent(Role::sender);
  plan.work(Phase::cast, 2us);
  plan.put(Phase::send, RankId{1}, Bytes{450'000}, 100ns);
  const CriticalPath path = path_of(plan);
  CHECK(path.of(Phase::cast) == 2us);
  CHECK(path.of(Phase::send) == 100ns);
  CHECK(path.of(Phase::wire) > 850ns);
}

TEST_CASE("CriticalPath: from what a NIC brought it leads to the post, over wire and signal") {
  PlanBuilder plan("posts", 2, 4, round_rates());
  plan.set_nic({.queue_message = 10us, .latency = 3us, .atomic = 500ns});
  const QueuePairId queue = plan.add_queue_pairs(RankId{0}, RankId{1}, 1);
  const FlagId flag = plan.add_flag(RankId{1});
  begin(plan, 0);
  plan.work(Phase::cast, 2us);
  plan.post(Phase::send, queue, Bytes{1000}, 100ns);
  plan.post_signal(Phase::signal, queue, flag, 1, 200ns);
  begin(plan, 1);
  plan.wait(Phase::wait, flag, 1);
  plan.work(Phase::reduce, 4us);
  const auto topology = round_hosts({.hosts = 2, .gpus_per_host = 1, .sms = 4});
  const Plan taken = plan.take();
  const CriticalPath path = critical_path(taken, execute(taken, *topology), *topology);
  CHECK(path.of(Phase::cast) == 2us);
  CHECK(path.of(Phase::send) == 100ns);
  // The atomic's own hand-over and flight: 0.2 + 3 + 0.5 us. It waited for the data on the queue
  // pair, 10 + 10 us less the 0.2 us of its hand-over, and crossed four links of 100 ns and more.
  CHECK(path.of(Phase::signal) == 3700ns);
  CHECK(path.of(Phase::wire) > 20'100ns);
  CHECK(path.of(Phase::wire) < 20'300ns);
  CHECK(path.of(Phase::reduce) == 4us);
}

TEST_CASE("CriticalPath: a CTA that waited for an SM follows the one that left it") {
  PlanBuilder plan = two_ranks();  // four SMs a rank
  plan.begin_kernel(
      {.rank = RankId{0}, .name = "waves", .start_overhead = 1us, .finish_overhead = 500ns});
  for (int c = 0; c < 5; ++c) {
    plan.begin_cta();
    plan.begin_agent(Role::sender);
    plan.work(c < 4 ? Phase::cast : Phase::send, c == 2 ? 2us : 3us);
  }
  const CriticalPath path = path_of(plan);
  CHECK(path.of(Phase::cast) == 2us);  // CTA 2 left first
  CHECK(path.of(Phase::send) == 3us);
  CHECK(path.of(Phase::launch) == 2500ns);  // two starts and a finish
}

TEST_CASE("CriticalPath: phases add up to the latency and steps leave no gap") {
  const Calibration calibration = load_calibration("hgx-h200");
  for (std::uint64_t seed = 1001; seed <= 1100; ++seed) {
    CAPTURE(seed);
    const RandomWorkload random = random_workload(seed);
    const KernelFamily& family = calibration.family(random.kind->name);
    for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine}) {
      const Prediction prediction =
          predict(operation, random.workload, *random.kind, calibration.hardware, family.constants);
      const CriticalPath path =
          critical_path(prediction.plan, prediction.timeline, *random.workload.topology);
      CHECK(sum(path) == prediction.latency);
      REQUIRE(!path.steps.empty());
      CHECK(path.steps.back().end - path.steps.front().start == prediction.latency);
      for (std::size_t i = 1; i < path.steps.size(); ++i)
        CHECK(path.steps[i].start == path.steps[i - 1].end);
    }
  }
}
