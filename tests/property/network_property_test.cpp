// Properties of what is posted, on random small fabrics: all of it arrives, whatever the way.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "sim/base/rng.hpp"
#include "sim/prediction.hpp"
#include "tests/support/round_hosts.hpp"
#include "tests/support/seeds.hpp"
#include "tests/topologies/fabric_samples.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

constexpr std::size_t kSeeds = 60;
constexpr std::int64_t kAtomicBytes = 8;  // of a signal to another host

std::uint32_t draw(Rng& rng, std::uint32_t low, std::uint32_t high) {
  return low + static_cast<std::uint32_t>(rng.below(high - low + 1));
}

// Two to four hosts of one to three GPUs, of any kind that has hosts.
Topology random_fabric(Rng& rng) {
  struct Kind {
    const char* preset;
    const char* more;  // overrides of its own
  };
  constexpr std::array kKinds = {Kind{"hgx-h800-cx7", ""},
                                 Kind{"h100-fat-tree", R"(, "tiers": 2)"},
                                 Kind{"h100-dragonfly-plus", R"(, "group_leaves": 1)"},
                                 Kind{"h800-multi-plane", ""}};
  const Kind& kind = kKinds[rng.below(kKinds.size())];
  const std::uint32_t hosts = draw(rng, 2, 4);
  const std::uint32_t gpus = draw(rng, 1, 3);
  const std::uint32_t leaf_ports = gpus * draw(rng, 1, 2);
  const std::uint32_t spines = draw(rng, 1, 3);
  const std::uint32_t oversubscription = draw(rng, 1, 3);
  const std::string changed =
      fmt::format(R"({{"hosts": {}, "gpus_per_host": {}, "leaf_ports": {}, "spines": {}, )"
                  R"("oversubscription": {}, "routing": "{}"{}}})",
                  hosts,
                  gpus,
                  leaf_ports,
                  spines,
                  oversubscription,
                  rng.below(2) == 0 ? "adaptive" : "ecmp",
                  kind.more);
  return samples::fabric(kind.preset, changed);
}

struct Case {
  Workload workload;
  const FamilyKind* kind;
  MoeOperation operation;

  [[nodiscard]] Prediction run() const {
    return predict(
        operation, workload, *kind, round_network_hardware(), round_constants(kind->constants()));
  }
};

Case random_case(std::uint64_t seed) {
  Rng rng(seed);
  Case random;
  Workload& workload = random.workload;
  workload.topology = std::make_shared<const Topology>(random_fabric(rng));
  RoutingSpec spec;
  spec.shape.ranks = static_cast<std::uint32_t>(workload.topology->gpu_count());
  spec.shape.experts = draw(rng, 1, 3) * spec.shape.ranks;
  spec.shape.top_k = draw(rng, 1, std::min(4U, spec.shape.experts));
  spec.tokens_per_rank = rng.below(8) == 0 ? 0 : draw(rng, 1, 20);
  if (rng.below(3) == 0) spec.masked_fraction = 0.3;
  workload.routing = std::make_shared<const Routing>(make_routing(spec, rng.stream("routing")));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = spec.shape.ranks, .experts = spec.shape.experts}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.hidden = 128 * draw(rng, 1, 24);
  workload.dispatch_format = static_cast<DispatchFormat>(rng.below(2));
  workload.combine_format = static_cast<CombineFormat>(rng.below(2));
  workload.rank_start.resize(spec.shape.ranks);
  random.kind = find_family(rng.below(2) == 0 ? "deepep-ll-legacy" : "deepep-ll-v1-rdmaonly");
  random.operation = static_cast<MoeOperation>(rng.below(2));
  return random;
}

template <typename Check>
void for_each_case(Check check) {
  for (const std::uint64_t seed : property_seeds(kSeeds)) {
    INFO("replay with EPSIM_SEED=" << seed);
    const Case random = random_case(seed);
    CAPTURE(random.workload.topology->name());
    CAPTURE(random.kind->name);
    check(random, random.run(), Rng(seed).stream("check"));
  }
}

// Bytes that were posted to a rank, and that a rank has posted.
struct Posted {
  std::int64_t in = 0, out = 0;
  bool operator==(const Posted&) const = default;
};

std::vector<Posted> posted_by_rank(const Plan& plan) {
  std::vector<Posted> posted(plan.rank_count);
  for (const Operation& operation : plan.operations) {
    const bool is_signal = operation.kind == OpKind::post_signal;
    if (!is_signal && operation.kind != OpKind::post) continue;
    const QueuePair& pair = plan.queue_pairs[is_signal ? operation.count : operation.target];
    const std::int64_t size = is_signal ? kAtomicBytes : operation.count;
    posted[pair.target.index()].in += size;
    posted[pair.source.index()].out += size;
  }
  return posted;
}

// Bytes on the first and the last links of all ways through the network.
std::vector<Posted> carried_by_rank(const Topology& topology, const Timeline& timeline) {
  std::vector<Posted> carried(topology.gpu_count());
  for (std::uint32_t g = 0; g < topology.gpu_count(); ++g)
    for (std::size_t l = 0; l < topology.links().size(); ++l) {
      const Link& link = topology.links()[l];
      if (link.kind == LinkKind::nvlink) continue;
      if (link.target == topology.gpu(GpuId{g})) carried[g].in += timeline.link_bytes[l].count;
      if (link.source == topology.gpu(GpuId{g})) carried[g].out += timeline.link_bytes[l].count;
    }
  return carried;
}

std::shared_ptr<const Topology> with_slow_link(const Topology& topology, std::size_t slow) {
  TopologyParts parts;
  parts.file = "slow link";
  parts.name = topology.name();
  parts.gpu = topology.gpu_spec();
  parts.nodes.assign(topology.nodes().begin(), topology.nodes().end());
  parts.links.assign(topology.links().begin(), topology.links().end());
  parts.routing = topology.network_routing();
  parts.links[slow].bandwidth.bytes_per_second /= 4;
  return std::make_shared<const Topology>(std::move(parts));
}

}  // namespace

TEST_CASE("network: every byte that is posted leaves its GPU and arrives at its target's") {
  std::int64_t all = 0;
  for_each_case([&](const Case& random, const Prediction& prediction, Rng) {
    const std::vector<Posted> posted = posted_by_rank(prediction.plan);
    const bool is_carried =
        posted == carried_by_rank(*random.workload.topology, prediction.timeline);
    CHECK(is_carried);
    for (const Posted& rank : posted) all += rank.in;
  });
  CHECK(all > 0);
}

TEST_CASE("network: a plan comes to its end, and every operation has run") {
  for_each_case([](const Case&, const Prediction& prediction, Rng) {
    CHECK(prediction.latency > Duration{});
    const auto ran = [](Instant moment) { return moment != Timeline::kNever; };
    CHECK(std::all_of(prediction.timeline.end.begin(), prediction.timeline.end.end(), ran));
  });
}

TEST_CASE("network: no latency falls by 1 % where a link is slower") {
  // Not exactly: messages that come late to one switch let others pass there.
  for_each_case([](const Case& random, const Prediction& prediction, Rng rng) {
    const Topology& topology = *random.workload.topology;
    std::vector<std::size_t> network;
    for (std::size_t l = 0; l < topology.links().size(); ++l)
      if (topology.links()[l].kind != LinkKind::nvlink) network.push_back(l);
    const std::size_t slow = network[rng.below(network.size())];
    CAPTURE(topology.link_name(LinkId{static_cast<std::uint32_t>(slow)}));
    Case other = random;
    other.workload.topology = with_slow_link(topology, slow);
    CHECK(to_us(other.run().latency) >= 0.99 * to_us(prediction.latency));
  });
}
