#include "sim/fluid_network.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

using Path = std::vector<ResourceId>;
using Clients = std::vector<std::uint32_t>;

constexpr Bandwidth operator*(double factor, Bandwidth rate) {
  return {factor * rate.bytes_per_second};
}
constexpr Bandwidth kByteNs{1e9};  // one byte a nanosecond
constexpr ResourceId kA{0};
constexpr ResourceId kB{1};
constexpr ResourceId kC{2};

Clients complete(FluidNetwork& network, Instant now) {
  Clients finished;
  network.complete(now, finished);
  return finished;
}

double bytes_per_ns(Bandwidth rate) {
  return rate.bytes_per_second * 1e-9;
}

}  // namespace

TEST_CASE("FluidNetwork: a flow alone takes its bytes over the narrowest resource, rounded up") {
  // By hand: 7168 B / 450e9 B/s = 15.92888... ns, so 15 929 ps; the other resource is wider.
  const std::vector<Bandwidth> capacities = {Bandwidth{900e9}, Bandwidth{450e9}};
  FluidNetwork network(capacities);
  CHECK_FALSE(network.next_completion().has_value());
  network.start(Instant{}, 7, Path{kA, kB}, Bytes{7168});
  CHECK(network.next_completion() == Instant{Duration{15'929}});
  CHECK(complete(network, Instant{Duration{15'929}}) == Clients{7});
  CHECK(network.active_count() == 0);
}

TEST_CASE("FluidNetwork: on a line of two links the long flow and its neighbours share by link") {
  // Links A = 1 and B = 2 B/ns; flow 0 over both, 1 over A, 2 over B.
  // A fills first: (x0, x1) = 1/2 each. B then has 2 - 1/2 for flow 2 alone: 3/2.
  // 30 B each: 2 ends at 20 ns, when 0 and 1 have 20 B left and keep their rates: both end at 60.
  const std::vector<Bandwidth> capacities = {kByteNs, 2 * kByteNs};
  FluidNetwork network(capacities);
  const FlowId long_flow = network.start(Instant{}, 0, Path{kA, kB}, Bytes{30});
  const FlowId on_a = network.start(Instant{}, 1, Path{kA}, Bytes{30});
  const FlowId on_b = network.start(Instant{}, 2, Path{kB}, Bytes{30});
  CHECK(bytes_per_ns(network.rate(long_flow)) == doctest::Approx(0.5));
  CHECK(bytes_per_ns(network.rate(on_a)) == doctest::Approx(0.5));
  CHECK(bytes_per_ns(network.rate(on_b)) == doctest::Approx(1.5));
  CHECK(bytes_per_ns(network.load(kB)) == doctest::Approx(2.0));
  CHECK(complete(network, Instant{20ns}) == Clients{2});
  CHECK(network.next_completion() == Instant{60ns});
  CHECK(complete(network, Instant{60ns}) == Clients{0, 1});
}

TEST_CASE("FluidNetwork: a departure speeds up one flow and through it slows another") {
  // A = B = 1 B/ns. 0 and 1 over A, 2 over A and B, 3 over B: A gives 1/3 each, 3 gets 2/3.
  // When 0 ends, A gives 1/2 each, and 3 falls to 1/2: it was not on the link that changed.
  // 0 has 10 B, the rest 100: 0 ends at 30 ns; 1 and 2 have 90 B left, 180 ns more at 1/2: 210.
  // 3 has 80 B left, 160 ns more: 190. Then nothing changes on A, so 1 and 2 still end at 210.
  const std::vector<Bandwidth> capacities = {kByteNs, kByteNs};
  FluidNetwork network(capacities);
  network.start(Instant{}, 0, Path{kA}, Bytes{10});
  network.start(Instant{}, 1, Path{kA}, Bytes{100});
  network.start(Instant{}, 2, Path{kA, kB}, Bytes{100});
  const FlowId last = network.start(Instant{}, 3, Path{kB}, Bytes{100});
  CHECK(bytes_per_ns(network.rate(last)) == doctest::Approx(2.0 / 3.0));
  CHECK(network.next_completion() == Instant{30ns});
  CHECK(complete(network, Instant{30ns}) == Clients{0});
  CHECK(bytes_per_ns(network.rate(last)) == doctest::Approx(0.5));
  CHECK(network.next_completion() == Instant{190ns});
  CHECK(complete(network, Instant{190ns}) == Clients{3});
  CHECK(network.next_completion() == Instant{210ns});
  CHECK(complete(network, Instant{210ns}) == Clients{1, 2});
}

TEST_CASE("FluidNetwork: what a capped flow leaves goes to the others") {
  // A = 1 B/ns, flow 0 capped at 1/5: the others get (1 - 1/5) / 2 = 2/5.
  const std::vector<Bandwidth> capacities = {kByteNs};
  FluidNetwork network(capacities);
  const FlowId capped = network.start(Instant{}, 0, Path{kA}, Bytes{40}, 0.2 * kByteNs);
  const FlowId free = network.start(Instant{}, 1, Path{kA}, Bytes{40});
  network.start(Instant{}, 2, Path{kA}, Bytes{40});
  CHECK(bytes_per_ns(network.rate(capped)) == doctest::Approx(0.2));
  CHECK(bytes_per_ns(network.rate(free)) == doctest::Approx(0.4));
  CHECK(complete(network, Instant{100ns}) == Clients{1, 2});
  CHECK(network.next_completion() == Instant{200ns});
}

TEST_CASE("FluidNetwork: an incast is limited where it meets, and the senders' other flows gain") {
  // Three senders' egress ports A, B, C and the ingress port of the target, 1 B/ns each.
  // 3 -> 1: the ingress gives 1/3 each. Sender A also feeds someone idle: 1 - 1/3 = 2/3.
  // 30 B each: the other flow ends at 45 ns, the incast at 90.
  const std::vector<Bandwidth> capacities(4, kByteNs);
  const ResourceId ingress{3};
  const std::vector<Path> paths = {{kA, ingress}, {kB, ingress}, {kC, ingress}, {kA}};
  std::vector<FlowRequest> flows;
  for (const Path& path : paths) flows.push_back({.path = path, .size = Bytes{30}});
  const std::vector<Instant> finishes = simulate_flows(capacities, Duration{0}, flows);
  CHECK(finishes ==
        std::vector<Instant>{Instant{90ns}, Instant{90ns}, Instant{90ns}, Instant{45ns}});
}

TEST_CASE("FluidNetwork: a latency delays the first byte and nothing else") {
  // 1 B/ns. 0 starts at 0, its bytes at 5 ns; 1 starts at 10, its bytes at 15. 20 B each:
  // 5..15: 0 alone, 10 left. Both at 1/2: 0 ends at 35; 1 has 10 left, alone, until 45.
  const std::vector<Bandwidth> capacities = {kByteNs};
  const Path path = {kA};
  const std::vector<FlowRequest> flows = {{.path = path, .size = Bytes{20}, .start = Instant{10ns}},
                                          {.path = path, .size = Bytes{20}}};
  const std::vector<Instant> finishes = simulate_flows(capacities, 5ns, flows);
  CHECK(finishes == std::vector<Instant>{Instant{45ns}, Instant{35ns}});
}

TEST_CASE("FluidNetwork: an all-to-all of equal sizes ends in one instant after one solve") {
  // 16 ranks, 1 B/ns a port: each of a port's 15 flows gets 1/15; 100 B take 1500 ns, and not a
  // picosecond of noise more.
  constexpr std::uint32_t kRanks = 16;
  const std::vector<Bandwidth> capacities(2 * kRanks, kByteNs);
  FluidNetwork network(capacities);
  Clients expected;
  for (std::uint32_t source = 0; source < kRanks; ++source) {
    for (std::uint32_t target = 0; target < kRanks; ++target) {
      if (source == target) continue;
      expected.push_back(kRanks * source + target);
      network.start(Instant{}, expected.back(), Path{{source}, {kRanks + target}}, Bytes{100});
    }
  }
  CHECK(network.next_completion() == Instant{1500ns});
  CHECK(network.solve_count() == 1);
  CHECK(complete(network, Instant{1500ns}) == expected);
}

TEST_CASE("FluidNetwork: a change in one island does not solve the others") {
  // 10 islands of one link with 10 flows each. One more flow in island 3 solves its 11 flows.
  const std::vector<Bandwidth> capacities(10, kByteNs);
  FluidNetwork network(capacities);
  for (std::uint32_t i = 0; i < 100; ++i)
    network.start(Instant{}, i, Path{ResourceId{i % 10}}, Bytes{1000});
  CHECK(network.next_completion() == Instant{10us});
  const std::uint64_t before = network.solved_flow_count();
  network.start(Instant{1us}, 100, Path{ResourceId{3}}, Bytes{1000});
  CHECK(network.next_completion() == Instant{10us});
  CHECK(network.solved_flow_count() - before <= 12);  // the newcomer alone, then all 11
}

TEST_CASE("FluidNetwork: a flow that is due is not held up by flows that start at that instant") {
  // 100 B at 0.999995 B/ps take 100.0005 ps, which counts as 100. The 0.0005 B that are left by
  // then must not wait for their part of a capacity that 1000 newcomers share.
  const std::vector<Bandwidth> capacities = {Bandwidth{0.999995e12}};
  FluidNetwork network(capacities);
  network.start(Instant{}, 0, Path{kA}, Bytes{100});
  const Instant due{Duration{100}};
  CHECK(network.next_completion() == due);
  for (std::uint32_t i = 1; i <= 1000; ++i) network.start(due, i, Path{kA}, Bytes{1000});
  CHECK(network.next_completion() == due);
  CHECK(complete(network, due) == Clients{0});
}

TEST_CASE("FluidNetwork: zero bytes finish at once, and a slot is used again") {
  const std::vector<Bandwidth> capacities = {kByteNs};
  FluidNetwork network(capacities);
  const FlowId first = network.start(Instant{5ns}, 3, Path{kA}, Bytes{0});
  CHECK(network.next_completion() == Instant{5ns});
  const std::uint64_t version = network.version();
  CHECK(complete(network, Instant{5ns}) == Clients{3});
  CHECK(network.start(Instant{5ns}, 4, Path{kA}, Bytes{0}) == first);
  CHECK(network.next_completion() == Instant{5ns});
  CHECK(network.version() != version);
}

TEST_CASE("FluidNetwork: a path is not empty, names known resources, and none twice") {
  const std::vector<Bandwidth> capacities = {kByteNs};
  FluidNetwork network(capacities);
  CHECK_THROWS_AS(network.start(Instant{}, 0, Path{}, Bytes{1}), Bug);
  CHECK_THROWS_AS(network.start(Instant{}, 0, Path{kB}, Bytes{1}), Bug);
  CHECK_THROWS_AS(network.start(Instant{}, 0, Path{kA, kA}, Bytes{1}), Bug);
  CHECK_THROWS_AS(network.start(Instant{}, 0, Path{kA}, Bytes{-1}), Bug);
  CHECK_THROWS_AS(FluidNetwork(std::vector<Bandwidth>{Bandwidth{0.0}}), Bug);
}
