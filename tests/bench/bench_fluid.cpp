// Speed of the fluid models: solves a second of FluidNetwork, and clients a second of SharedServer.
//
// full: an all-to-all of flows that all start at once, in a network that is empty before: one solve
// of everything, flow creation included. Sizes differ, so that what is timed is not one instant.
// change: flows between random ranks are under way; one ends, another starts between random ranks
// of the same node, and the rates are solved again. Dense: all ranks are one node, so that a change
// can spread over every port. Islands: nodes of 8 ranks that share nothing, where it stays inside.
// flows_per_change counts every flow in every solve; a full solve would take in all of them.
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>

#include "sim/base/check.hpp"
#include "sim/base/rng.hpp"
#include "sim/fluid_network.hpp"
#include "sim/shared_server.hpp"

using namespace epsim;

namespace {

constexpr Bandwidth kPort{50e9};

struct Pair {
  std::uint32_t source;
  std::uint32_t target;
};

// About `flow_count` flows: every rank of a node to all ranks of the node, itself included. A port
// of rank r is resource 2r out of it and 2r + 1 into it.
struct Traffic {
  Traffic(std::size_t flow_count, std::uint32_t ranks_per_node) {
    for (std::uint32_t first = 0; pairs.size() < flow_count; first += ranks_per_node) {
      capacities.resize(capacities.size() + std::size_t{2} * ranks_per_node, kPort);
      for (std::uint32_t source = 0; source < ranks_per_node; ++source)
        for (std::uint32_t target = 0; target < ranks_per_node; ++target)
          pairs.push_back({first + source, first + target});
    }
  }
  std::vector<Bandwidth> capacities;
  std::vector<Pair> pairs;
};

std::uint32_t dense_ranks(std::size_t flow_count) {
  std::uint32_t ranks = 1;
  while (std::size_t{ranks} * ranks < flow_count) ranks *= 2;
  return ranks;
}

void start(
    FluidNetwork& network, Instant now, const Traffic& traffic, std::uint32_t index, Rng& rng) {
  const Pair pair = traffic.pairs[index];
  const ResourceId path[] = {{2 * pair.source}, {2 * pair.target + 1}};
  const auto size = static_cast<std::int64_t>(500'000 + rng.below(1'000'001));
  network.start(now, index, path, Bytes{size});
}

void fluid_full(benchmark::State& state) {
  const auto flow_count = static_cast<std::size_t>(state.range(0));
  const Traffic traffic(flow_count, dense_ranks(flow_count));
  for (auto _ : state) {
    Rng rng(1);
    FluidNetwork network(traffic.capacities);
    for (std::uint32_t i = 0; i < traffic.pairs.size(); ++i)
      start(network, Instant{}, traffic, i, rng);
    benchmark::DoNotOptimize(network.next_completion());
    check(network.solve_count() == 1, "flows of one instant are solved once");
  }
  state.counters["solves"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(traffic.pairs.size()));
}

void change(benchmark::State& state, std::uint32_t ranks_per_node) {
  Traffic traffic(static_cast<std::size_t>(state.range(0)), ranks_per_node);
  Rng rng(1);
  FluidNetwork network(traffic.capacities);
  for (std::uint32_t i = 0; i < traffic.pairs.size(); ++i)
    start(network, Instant{}, traffic, i, rng);
  std::vector<std::uint32_t> finished;
  std::int64_t changes = 0;
  const auto redraw = [&](std::uint32_t& rank) {
    rank += static_cast<std::uint32_t>(rng.below(ranks_per_node)) - rank % ranks_per_node;
  };
  const auto step = [&] {
    const Instant now = network.next_completion().value();
    finished.clear();
    network.complete(now, finished);
    for (const std::uint32_t index : finished) {
      redraw(traffic.pairs[index].source);
      redraw(traffic.pairs[index].target);
      start(network, now, traffic, index, rng);
    }
  };
  for (std::size_t i = 0; i < traffic.pairs.size(); ++i) step();  // until all pairs are random
  const std::uint64_t solved_before = network.solved_flow_count();
  for (auto _ : state) {
    step();
    ++changes;
  }
  state.counters["solves"] =
      benchmark::Counter(static_cast<double>(changes), benchmark::Counter::kIsRate);
  state.counters["flows_per_change"] =
      static_cast<double>(network.solved_flow_count() - solved_before) /
      static_cast<double>(changes);
}

void fluid_change_dense(benchmark::State& state) {
  change(state, dense_ranks(static_cast<std::size_t>(state.range(0))));
}

void fluid_change_islands(benchmark::State& state) {
  change(state, 8);
}

// Clients come and go at a memory that 1000 of them share under three caps.
void shared_server(benchmark::State& state) {
  constexpr Bandwidth kCaps[] = {{20e9}, {46e9}, kUncapped};
  Rng rng(1);
  SharedServer server(Bandwidth{4.8e12});
  const auto client_count = static_cast<std::uint32_t>(state.range(0));
  const auto start_client = [&](Instant now, std::uint32_t client) {
    server.start(now, client, Bytes{14'336}, kCaps[rng.below(3)]);
  };
  for (std::uint32_t i = 0; i < client_count; ++i) start_client(Instant{}, i);
  std::vector<std::uint32_t> finished;
  std::int64_t served = 0;
  for (auto _ : state) {
    const Instant now = server.next_completion().value();
    finished.clear();
    server.complete(now, finished);
    for (const std::uint32_t client : finished) start_client(now, client);
    served += static_cast<std::int64_t>(finished.size());
  }
  state.SetItemsProcessed(served);
}

}  // namespace

BENCHMARK(fluid_full)->Arg(64)->Arg(1'024)->Arg(16'384);
BENCHMARK(fluid_change_dense)->Arg(64)->Arg(1'024)->Arg(16'384);
BENCHMARK(fluid_change_islands)->Arg(64)->Arg(1'024)->Arg(16'384);
BENCHMARK(shared_server)->Arg(100)->Arg(1'000)->Arg(10'000);
BENCHMARK_MAIN();
