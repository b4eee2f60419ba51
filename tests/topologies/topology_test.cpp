#include "topologies/topology.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Link link(std::uint32_t source, std::uint32_t target, Duration latency = 100ns) {
  return {.source = NodeId{source},
          .target = NodeId{target},
          .bandwidth = Bandwidth{100e9},
          .latency = latency};
}

void add_cable(TopologyParts& parts, std::uint32_t a, std::uint32_t b, Duration latency = 100ns) {
  parts.links.push_back(link(a, b, latency));
  parts.links.push_back(link(b, a, latency));
}

// Nodes 0 and 1 are GPUs, 2 and 3 are switches; no links yet.
TopologyParts two_gpus_two_switches() {
  TopologyParts parts;
  parts.file = "hand-made";
  parts.nodes = {{"gpu0", NodeKind::gpu},
                 {"gpu1", NodeKind::gpu},
                 {"switch0", NodeKind::nvswitch},
                 {"switch1", NodeKind::nvswitch}};
  return parts;
}

std::vector<std::string> route_names(const Topology& topology, GpuId source, GpuId target) {
  std::vector<std::string> names;
  for (const LinkId id : topology.route(source, target)) names.push_back(topology.link_name(id));
  return names;
}

// What a route minimises, as a pair: latency, then links.
using PathCost = std::pair<Duration, std::size_t>;

// The same by another algorithm (Floyd and Warshall): paths that may pass through the first k nodes
// are known before the next node is allowed. GPUs are never allowed.
std::vector<std::vector<PathCost>> all_path_costs(const Topology& topology) {
  const std::size_t count = topology.nodes().size();
  constexpr PathCost kFar{1h, 0};
  std::vector<std::vector<PathCost>> costs(count, std::vector<PathCost>(count, kFar));
  for (std::size_t i = 0; i < count; ++i) costs[i][i] = {};
  for (const Link& step : topology.links()) {
    auto& known = costs[step.source.index()][step.target.index()];
    known = std::min(known, PathCost{step.latency, 1});
  }
  for (std::size_t k = 0; k < count; ++k) {
    if (topology.nodes()[k].kind == NodeKind::gpu) continue;
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t j = 0; j < count; ++j)
        costs[i][j] = std::min(costs[i][j],
                               PathCost{costs[i][k].first + costs[k][j].first,
                                        costs[i][k].second + costs[k][j].second});
  }
  return costs;
}

// Switches in a random connected graph, each GPU on one of them, and a few GPUs joined directly.
Topology random_topology(std::uint64_t seed) {
  Rng rng = Rng(seed).stream("topology");
  const auto gpu_count = static_cast<std::uint32_t>(1 + rng.below(12));
  const auto switch_count = static_cast<std::uint32_t>(1 + rng.below(8));
  const auto latency = [&] { return Duration{static_cast<std::int64_t>(rng.below(4)) * 1000}; };
  TopologyParts parts;
  parts.file = "random";
  for (std::uint32_t i = 0; i < gpu_count; ++i)
    parts.nodes.push_back({"gpu" + std::to_string(i), NodeKind::gpu});
  for (std::uint32_t i = 0; i < switch_count; ++i)
    parts.nodes.push_back({"switch" + std::to_string(i), NodeKind::network_switch});
  const auto any_switch = [&](std::uint32_t among) {
    return gpu_count + static_cast<std::uint32_t>(rng.below(among));
  };
  for (std::uint32_t i = 0; i < gpu_count; ++i)
    add_cable(parts, i, any_switch(switch_count), latency());
  for (std::uint32_t i = 1; i < switch_count; ++i)
    add_cable(parts, gpu_count + i, any_switch(i), latency());
  for (std::uint32_t i = 0; i < switch_count; ++i) {
    const std::uint32_t other = any_switch(switch_count);
    if (other != gpu_count + i) add_cable(parts, gpu_count + i, other, latency());
  }
  for (std::uint32_t i = 0; i + 1 < gpu_count; i += 3) add_cable(parts, i, i + 1, latency());
  return Topology(std::move(parts));
}

}  // namespace

TEST_CASE("Topology: the route with the least latency wins over the one with fewer links") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 0, 2, 100ns);
  add_cable(parts, 2, 3, 100ns);
  add_cable(parts, 3, 1, 100ns);
  add_cable(parts, 0, 1, 500ns);
  const Topology topology(std::move(parts));

  // By hand: three links of 100 ns are 300 ns, the direct cable takes 500 ns.
  CHECK(route_names(topology, GpuId{0}, GpuId{1}) ==
        std::vector<std::string>{"gpu0->switch0", "switch0->switch1", "switch1->gpu1"});
  CHECK(topology.route_latency(GpuId{0}, GpuId{1}) == 300ns);
}

TEST_CASE("Topology: of routes with equal latency the one with fewest links wins") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 0, 2, 100ns);
  add_cable(parts, 2, 1, 200ns);
  add_cable(parts, 0, 1, 300ns);
  add_cable(parts, 2, 3, 0ns);
  const Topology topology(std::move(parts));

  CHECK(route_names(topology, GpuId{0}, GpuId{1}) == std::vector<std::string>{"gpu0->gpu1"});
}

TEST_CASE("Topology: of routes that cost the same the one over the lowest link ids wins") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 0, 3);  // links 0 and 1
  add_cable(parts, 0, 2);  // links 2 and 3
  add_cable(parts, 2, 1);  // links 4 and 5: the lowest that enters gpu1
  add_cable(parts, 3, 1);  // links 6 and 7
  const Topology topology(std::move(parts));

  const auto route = topology.route(GpuId{0}, GpuId{1});
  CHECK(std::vector(route.begin(), route.end()) == std::vector{LinkId{2}, LinkId{4}});
}

TEST_CASE("Topology: links without latency never make a loop") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 2, 3, 0ns);
  add_cable(parts, 0, 2, 0ns);
  add_cable(parts, 3, 1, 0ns);
  const Topology topology(std::move(parts));
  CHECK(topology.route(GpuId{0}, GpuId{1}).size() == 3);
}

TEST_CASE("Topology: a GPU does not forward, even where that would be shorter") {
  TopologyParts parts = two_gpus_two_switches();
  parts.nodes.push_back({"gpu2", NodeKind::gpu});
  add_cable(parts, 0, 1, 1ns);
  add_cable(parts, 1, 4, 1ns);
  add_cable(parts, 0, 2, 100ns);
  add_cable(parts, 2, 4, 100ns);
  const Topology topology(std::move(parts));

  // gpu0 -> gpu1 -> gpu2 would take 2 ns; the way around, over the switch, takes 200 ns.
  CHECK(topology.route_latency(GpuId{0}, GpuId{2}) == 200ns);
  CHECK(route_names(topology, GpuId{0}, GpuId{2}) ==
        std::vector<std::string>{"gpu0->switch0", "switch0->gpu2"});
}

TEST_CASE("Topology: the slowest link on the way is the bandwidth of the route") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 0, 2);
  add_cable(parts, 2, 1);
  parts.links[2].bandwidth = Bandwidth{40e9};  // switch0 -> gpu1
  parts.links[1].bandwidth = Bandwidth{70e9};  // switch0 -> gpu0
  const Topology topology(std::move(parts));

  CHECK(topology.route_bandwidth(GpuId{0}, GpuId{1}) == Bandwidth{40e9});
  CHECK(topology.route_bandwidth(GpuId{1}, GpuId{0}) == Bandwidth{70e9});
}

TEST_CASE("Topology: a GPU reaches itself over no link") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 0, 1);
  const Topology topology(std::move(parts));
  CHECK(topology.route(GpuId{1}, GpuId{1}).empty());
  CHECK(topology.route_latency(GpuId{1}, GpuId{1}) == 0ns);
  CHECK_THROWS_AS((void)topology.route_bandwidth(GpuId{1}, GpuId{1}), Bug);
}

TEST_CASE("Topology: GPUs are numbered in the order of their nodes, whatever lies between them") {
  TopologyParts parts;
  parts.nodes = {
      {"nic", NodeKind::nic}, {"a", NodeKind::gpu}, {"cpu", NodeKind::cpu}, {"b", NodeKind::gpu}};
  add_cable(parts, 1, 3);
  const Topology topology(std::move(parts));
  CHECK(topology.gpu_count() == 2);
  CHECK(topology.gpu(GpuId{0}) == NodeId{1});
  CHECK(topology.gpu(GpuId{1}) == NodeId{3});
  CHECK_THROWS_AS((void)topology.gpu(GpuId{2}), Bug);
}

TEST_CASE("Topology: bisection bandwidth is what the cut between the halves carries") {
  TopologyParts parts = two_gpus_two_switches();
  // By hand: two ways from gpu0 to gpu1. Over the switches min(100, 30, 100) GB/s, directly 100.
  add_cable(parts, 0, 2);
  add_cable(parts, 2, 3);
  add_cable(parts, 3, 1);
  add_cable(parts, 0, 1);
  parts.links[2].bandwidth = Bandwidth{30e9};
  CHECK(Topology(std::move(parts)).bisection_bandwidth() == Bandwidth{130e9});
}

TEST_CASE("Topology: one GPU alone is a topology") {
  TopologyParts parts;
  parts.nodes = {{"gpu0", NodeKind::gpu}};
  const Topology topology(std::move(parts));
  CHECK(topology.gpu_count() == 1);
  CHECK(topology.bisection_bandwidth() == Bandwidth{0});
}

TEST_CASE("Topology: without a GPU it is refused") {
  TopologyParts parts;
  parts.file = "empty.json";
  parts.nodes = {{"switch0", NodeKind::nvswitch}};
  CHECK_THROWS_WITH_AS(Topology(std::move(parts)),
                       "empty.json: /nodes: expected 1 to 2048 nodes of kind gpu, found 0",
                       InputError);
}

TEST_CASE("Topology: a pair of GPUs without a route is refused by name") {
  TopologyParts parts = two_gpus_two_switches();
  add_cable(parts, 0, 2);
  parts.links.push_back(link(2, 1));  // one way only
  CHECK_THROWS_WITH_AS(Topology(std::move(parts)),
                       "hand-made: /links: no route from gpu1 to gpu0; GPUs do not forward traffic",
                       InputError);
}

TEST_CASE("Topology: parts that a reader must refuse are a bug here") {
  const auto with = [](Link wrong) {
    TopologyParts parts = two_gpus_two_switches();
    add_cable(parts, 0, 1);
    parts.links.push_back(wrong);
    return Topology(std::move(parts));
  };
  Link no_bandwidth = link(0, 2);
  no_bandwidth.bandwidth = Bandwidth{0};
  CHECK_NOTHROW(with(link(0, 2)));
  CHECK_THROWS_AS(with(link(0, 4)), Bug);
  CHECK_THROWS_AS(with(link(4, 0)), Bug);
  CHECK_THROWS_AS(with(link(2, 2)), Bug);
  CHECK_THROWS_AS(with(link(0, 2, -1ns)), Bug);
  CHECK_THROWS_AS(with(no_bandwidth), Bug);

  TopologyParts twins = two_gpus_two_switches();
  twins.nodes[1].name = "gpu0";
  add_cable(twins, 0, 1);
  CHECK_THROWS_AS(Topology(std::move(twins)), Bug);
}

TEST_CASE("Topology: in random networks every route is a path, and none is shorter") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    const Topology topology = random_topology(seed);
    const auto costs = all_path_costs(topology);
    for (std::uint32_t i = 0; i < topology.gpu_count(); ++i) {
      for (std::uint32_t j = 0; j < topology.gpu_count(); ++j) {
        NodeId at = topology.gpu(GpuId{i});
        Duration total{};
        for (const LinkId id : topology.route(GpuId{i}, GpuId{j})) {
          const Link& step = topology.link(id);
          REQUIRE(step.source == at);
          at = step.target;
          total += step.latency;
        }
        REQUIRE(at == topology.gpu(GpuId{j}));
        REQUIRE(total == topology.route_latency(GpuId{i}, GpuId{j}));
        REQUIRE(PathCost{total, topology.route(GpuId{i}, GpuId{j}).size()} ==
                costs[topology.gpu(GpuId{i}).index()][at.index()]);
      }
    }
  }
}
