#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "sim/fluid_network.hpp"
#include "sim/shared_server.hpp"

using namespace epsim;

namespace {

struct RandomFlow {
  std::vector<ResourceId> path;
  Bytes size;
  Instant start;
  Bandwidth cap;
};

struct RandomSystem {
  std::vector<Bandwidth> capacities;
  std::vector<RandomFlow> flows;

  [[nodiscard]] std::vector<FlowRequest> requests() const {
    std::vector<FlowRequest> all;
    for (const RandomFlow& flow : flows)
      all.push_back({flow.path, flow.size, flow.start, flow.cap});
    return all;
  }
};

// Few round numbers, so that levels, caps and instants tie often.
RandomSystem random_system(std::uint64_t seed) {
  Rng rng(seed);
  RandomSystem system;
  const std::size_t resource_count = 1 + rng.below(30);
  const std::size_t flow_count = 1 + rng.below(120);
  const bool is_round = rng.below(2) == 0;
  for (std::size_t r = 0; r < resource_count; ++r)
    system.capacities.push_back(
        {(is_round ? 50e9 : 1e9 + rng.uniform() * 1e9) * static_cast<double>(1 + rng.below(9))});
  Instant start{};
  for (std::size_t f = 0; f < flow_count; ++f) {
    std::set<std::uint32_t> path;
    const std::uint64_t length = 1 + rng.below(4);
    while (path.size() < std::min<std::uint64_t>(length, resource_count))
      path.insert(static_cast<std::uint32_t>(rng.below(resource_count)));
    RandomFlow flow{.path = {}, .size = {}, .start = start, .cap = kUncapped};
    for (const std::uint32_t r : path) flow.path.push_back({r});
    flow.size.count =
        static_cast<std::int64_t>(is_round ? 7168 * rng.below(4) : rng.below(1 << 20));
    if (rng.below(3) == 0) flow.cap = {10e9 * static_cast<double>(1 + rng.below(6))};
    system.flows.push_back(flow);
    if (rng.below(3) != 0) start += Duration{static_cast<std::int64_t>(rng.below(20'000'000))};
  }
  return system;
}

struct ActiveFlow {
  std::uint32_t index;
  FlowId id;
};

// Every flow runs at its cap, or crosses a full resource on which no flow is faster; and no
// resource carries more than its capacity.
bool is_max_min_fair(FluidNetwork& network,
                     const RandomSystem& system,
                     const std::vector<ActiveFlow>& active) {
  std::vector<double> load(system.capacities.size(), 0.0);
  std::vector<double> fastest(system.capacities.size(), 0.0);
  for (const ActiveFlow& flow : active) {
    const double rate = network.rate(flow.id).bytes_per_second;
    for (const ResourceId r : system.flows[flow.index].path) {
      load[r.index()] += rate;
      fastest[r.index()] = std::max(fastest[r.index()], rate);
    }
  }
  for (std::size_t r = 0; r < load.size(); ++r)
    if (load[r] > system.capacities[r].bytes_per_second * (1 + 1e-12)) return false;
  return std::all_of(active.begin(), active.end(), [&](const ActiveFlow& flow) {
    const RandomFlow& request = system.flows[flow.index];
    const double rate = network.rate(flow.id).bytes_per_second;
    if (rate > request.cap.bytes_per_second) return false;
    if (rate >= request.cap.bytes_per_second * (1 - 1e-9)) return true;
    return std::any_of(request.path.begin(), request.path.end(), [&](ResourceId r) {
      const bool is_full =
          load[r.index()] >= system.capacities[r.index()].bytes_per_second * (1 - 1e-9);
      return is_full && rate >= fastest[r.index()] * (1 - 1e-9);
    });
  });
}

// Runs a system event by event; counts the instants at which the rates were not optimal, and adds
// up rate times time of each flow.
struct Watched {
  std::size_t instants = 0;
  std::size_t unfair_instants = 0;
  std::vector<Instant> finishes;
  std::vector<double> bytes;
};

Watched watch(const RandomSystem& system) {
  Watched result;
  result.finishes.resize(system.flows.size());
  result.bytes.resize(system.flows.size());
  FluidNetwork network(system.capacities);
  std::vector<ActiveFlow> active;
  std::vector<std::uint32_t> finished;
  std::size_t next = 0;
  Instant before{};
  while (next < system.flows.size() || !active.empty()) {
    const Instant arrival = next < system.flows.size() ? system.flows[next].start : Instant::max();
    const Instant now = std::min(arrival, network.next_completion().value_or(Instant::max()));
    for (const ActiveFlow& flow : active)
      result.bytes[flow.index] += network.rate(flow.id).bytes_per_second * 1e-12 *
                                  static_cast<double>((now - before).count());
    before = now;
    finished.clear();
    network.complete(now, finished);
    for (const std::uint32_t index : finished) {
      result.finishes[index] = now;
      std::erase_if(active, [&](const ActiveFlow& flow) { return flow.index == index; });
    }
    for (; next < system.flows.size() && system.flows[next].start == now; ++next) {
      const auto index = static_cast<std::uint32_t>(next);
      const RandomFlow& flow = system.flows[next];
      active.push_back({index, network.start(now, index, flow.path, flow.size, flow.cap)});
    }
    ++result.instants;
    if (!is_max_min_fair(network, system, active)) ++result.unfair_instants;
  }
  return result;
}

}  // namespace

TEST_CASE("FluidNetwork: at every instant of random systems the rates are max-min fair") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    const Watched run = watch(random_system(seed));
    CHECK(run.instants > 0);
    CHECK(run.unfair_instants == 0);
  }
}

TEST_CASE("FluidNetwork: every flow of random systems is delivered its bytes and no more") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    const RandomSystem system = random_system(seed);
    const Watched run = watch(system);
    std::size_t wrong = 0;
    for (std::size_t f = 0; f < system.flows.size(); ++f) {
      const auto size = static_cast<double>(system.flows[f].size.count);
      // A finish is less than 1 ps late: at most 0.45 bytes at the 450 GB/s of the widest resource.
      if (run.bytes[f] < size - 1e-2 || run.bytes[f] > size + 0.5) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("FluidNetwork: a system simulated twice gives the same finishes, as does the driver") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    const RandomSystem system = random_system(seed);
    const std::vector<FlowRequest> flows = system.requests();
    const std::vector<Instant> once = simulate_flows(system.capacities, Duration{0}, flows);
    CHECK(once == simulate_flows(system.capacities, Duration{0}, flows));
    CHECK(once == watch(system).finishes);
  }
}

TEST_CASE("FluidNetwork: on one resource it agrees with SharedServer within 1 ps an event") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    RandomSystem system = random_system(seed);
    system.capacities.resize(1);
    for (RandomFlow& flow : system.flows) flow.path = {ResourceId{0}};
    const Watched network = watch(system);

    SharedServer server(system.capacities[0]);
    std::vector<Instant> finishes(system.flows.size());
    std::vector<std::uint32_t> finished;
    std::size_t next = 0;
    while (next < system.flows.size() || server.active_count() > 0) {
      const Instant arrival =
          next < system.flows.size() ? system.flows[next].start : Instant::max();
      const Instant now = std::min(arrival, server.next_completion().value_or(Instant::max()));
      finished.clear();
      server.complete(now, finished);
      for (const std::uint32_t client : finished) finishes[client] = now;
      for (; next < system.flows.size() && system.flows[next].start == now; ++next) {
        const RandomFlow& flow = system.flows[next];
        server.start(now, static_cast<std::uint32_t>(next), flow.size, flow.cap);
      }
    }
    Duration worst{0};
    for (std::size_t f = 0; f < finishes.size(); ++f)
      worst = std::max(worst, std::chrono::abs(finishes[f] - network.finishes[f]));
    CHECK(worst <= Duration{static_cast<std::int64_t>(network.instants)});
  }
}

TEST_CASE("FluidNetwork: twice the capacities halve every finish to within 1 ps an event") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    RandomSystem system = random_system(seed);
    for (RandomFlow& flow : system.flows) flow.start = Instant{};
    const Watched slow = watch(system);
    for (Bandwidth& capacity : system.capacities) capacity.bytes_per_second *= 2;
    for (RandomFlow& flow : system.flows) flow.cap.bytes_per_second *= 2;
    const Watched fast = watch(system);
    Duration worst{0};
    for (std::size_t f = 0; f < system.flows.size(); ++f)
      worst = std::max(worst,
                       std::chrono::abs(2 * fast.finishes[f].time_since_epoch() -
                                        slow.finishes[f].time_since_epoch()));
    CHECK(worst <= Duration{static_cast<std::int64_t>(2 * (slow.instants + fast.instants))});
  }
}
