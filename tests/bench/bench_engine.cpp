// Speed of the engine: events a second at 256 ranks, and low-latency dispatch and combine message
// by message from EP8 to EP512.
//
// all_to_all: every rank writes one message to every other, from 16 agents a rank, and each agent
// waits for its acknowledgements: events are message hops, queueing, and agents that wake up.
// The result is checked before it is timed: all bytes arrive, and the makespan is at least what the
// busiest link needs.
//
// low_latency: 128 tokens a rank, top-8, one expert a rank (E = 256 at EP8 to EP256), random
// routing, FP8 dispatch and BF16 combine of 7168 channels: plan and execution, on one switch of
// that size.
#include <sys/resource.h>

#include <algorithm>
#include <memory>

#include <benchmark/benchmark.h>

#include "models/calibration.hpp"
#include "models/low_latency.hpp"
#include "models/plan_builder.hpp"
#include "models/rank_rates.hpp"
#include "sim/base/check.hpp"
#include "sim/execute.hpp"
#include "topologies/registry.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

constexpr Bytes kMessage{2048};
constexpr std::uint32_t kAgentsPerRank = 16;

std::shared_ptr<const Topology> node_of(std::uint32_t gpus) {
  const JsonDocument override =
      JsonDocument::parse("{\"gpus\": " + std::to_string(gpus) + "}", "benchmark");
  return std::make_shared<const Topology>(
      load_topology("hgx-h200", override.root().object()).topology);
}

Workload workload_of(std::uint32_t ranks, std::uint32_t experts, std::uint32_t tokens) {
  Workload workload;
  const RoutingSpec spec{.name = {},
                         .shape = {.ranks = ranks, .experts = experts, .top_k = 8},
                         .tokens_per_rank = tokens};
  workload.routing = std::make_shared<const Routing>(make_routing(spec, Rng(1).stream("routing")));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = ranks, .experts = experts}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = node_of(ranks);
  workload.hidden = 7168;
  workload.rank_start.assign(ranks, Duration{});
  return workload;
}

Plan all_to_all(const Workload& workload, const ConstantSet& hardware) {
  const std::uint32_t ranks = workload.rank_count();
  PlanBuilder plan("all to all", ranks, kAgentsPerRank, hardware_rates(hardware, workload));
  for (std::uint32_t r = 0; r < ranks; ++r) {
    plan.begin_kernel({.rank = RankId{r}, .name = "all to all"});
    for (std::uint32_t a = 0; a < kAgentsPerRank; ++a) {
      plan.begin_cta();
      plan.begin_agent(Role::send_warp);
      for (std::uint32_t step = 1 + a; step < ranks; step += kAgentsPerRank)
        plan.put(Phase::send, RankId{(r + step) % ranks}, kMessage, from_ns(100));
      plan.drain(Phase::wire);
    }
  }
  return plan.take();
}

void engine_events(benchmark::State& state) {
  const auto ranks = static_cast<std::uint32_t>(state.range(0));
  const Calibration calibration = load_calibration("hgx-h200");
  const Workload workload = workload_of(ranks, ranks, 0);
  const Plan plan = all_to_all(workload, calibration.hardware);
  const Timeline first = execute(plan, *workload.topology);
  const Bytes per_link{static_cast<std::int64_t>(ranks - 1) * kMessage.count};
  for (const Bytes& bytes : first.link_bytes) check(bytes == per_link, "every byte crosses once");
  const Duration least = per_link / workload.topology->links().front().bandwidth;
  check(first.aligned_latency(plan) >= least, "no faster than the links");
  std::uint64_t events = 0;
  for (auto _ : state) events += execute(plan, *workload.topology).event_count;
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  state.counters["events"] = static_cast<double>(first.event_count);
}
BENCHMARK(engine_events)->Arg(8)->Arg(64)->Arg(256)->Unit(benchmark::kMillisecond);

double peak_mib() {
  rusage usage{};
  check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage answers");
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void low_latency(benchmark::State& state) {
  const auto ranks = static_cast<std::uint32_t>(state.range(0));
  const Calibration calibration = load_calibration("hgx-h200");
  const ConstantSet& family = calibration.family("deepep-ll-1.2.1").constants;
  const Workload workload = workload_of(ranks, std::max(256U, ranks), 128);
  std::uint64_t events = 0;
  Duration latency{};
  for (auto _ : state) {
    for (const auto make : {&plan_low_latency_dispatch, &plan_low_latency_combine}) {
      const Plan plan = make(workload, calibration.hardware, family);
      const Timeline timeline = execute(plan, *workload.topology);
      events += timeline.event_count;
      latency = timeline.aligned_latency(plan);
    }
  }
  check(latency > Duration{}, "a combine takes time");
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  const double messages = 2.0 * 128 * 8 * static_cast<double>(ranks);
  state.counters["messages"] = messages;
  state.counters["messages_per_s"] =
      benchmark::Counter(messages, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak_MiB"] = peak_mib();
}
BENCHMARK(low_latency)->RangeMultiplier(2)->Range(8, 512)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
