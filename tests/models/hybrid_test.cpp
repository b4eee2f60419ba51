#include "models/hybrid.hpp"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "models/network_constants.hpp"
#include "sim/base/check.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/small_workloads.hpp"

using namespace epsim;

namespace {

ConstantSet hardware() {
  ConstantSet all = round_hardware();
  const ConstantSet network = round_constants(network_constants());
  for (const Constant& constant : network.all()) all.put(constant);
  return all;
}
Plan dispatch(const Workload& workload) {
  return plan_hybrid_dispatch(workload, hardware(), round_constants(hybrid_constants()));
}
Plan combine(const Workload& workload) {
  return plan_hybrid_combine(workload, hardware(), round_constants(hybrid_constants()));
}

// Hosts of two GPUs on an NVSwitch each, with a NIC for each GPU on one network switch.
std::shared_ptr<const Topology> hosts_of_two(std::uint32_t hosts) {
  TopologyParts parts;
  parts.file = parts.name = "hosts of two";
  parts.gpu = {.model = "round",
               .sm_count = 4,
               .hbm_bandwidth = Bandwidth{100e9},
               .hbm_capacity = Bytes{1'000'000'000},
               .l2_size = Bytes{1'000'000'000}};
  const auto node = [&](NodeKind kind) {
    parts.nodes.push_back({"node" + std::to_string(parts.nodes.size()), kind});
    return NodeId{static_cast<std::uint32_t>(parts.nodes.size() - 1)};
  };
  const auto cable = [&](NodeId one, NodeId other, LinkKind kind) {
    for (int way = 0; way < 2; ++way, std::swap(one, other))
      parts.links.push_back(
          {.source = one, .target = other, .bandwidth = Bandwidth{100e9}, .kind = kind});
  };
  for (std::uint32_t g = 0; g < 2 * hosts; ++g) (void)node(NodeKind::gpu);
  const NodeId network = node(NodeKind::network_switch);
  for (std::uint32_t h = 0; h < hosts; ++h) {
    const NodeId nvswitch = node(NodeKind::nvswitch);
    for (std::uint32_t g = 2 * h; g < 2 * h + 2; ++g) {
      const NodeId nic = node(NodeKind::nic);
      cable(NodeId{g}, nvswitch, LinkKind::nvlink);
      cable(NodeId{g}, nic, LinkKind::pcie);
      cable(nic, network, LinkKind::rdma);
    }
  }
  return std::make_shared<const Topology>(std::move(parts));
}

Workload on_hosts(const SmallRouting& routing) {
  Workload workload = round_workload(routing, 4);
  workload.topology = hosts_of_two(static_cast<std::uint32_t>(routing.tokens.size()) / 2);
  return workload;
}

struct Carried {
  std::uint32_t source, target;
  std::int64_t bytes;
  bool operator==(const Carried&) const = default;
};

// Bytes by (source, target) that posts carry, or puts between different ranks.
std::vector<Carried> carried(const Plan& plan, OpKind kind) {
  const std::vector<RankId> ranks = operation_ranks(plan);
  std::vector<Carried> all;
  for (std::uint32_t s = 0; s < plan.rank_count; ++s)
    for (std::uint32_t t = 0; t < plan.rank_count; ++t) {
      std::int64_t bytes = 0;
      for (const std::size_t i : operations_of_kind(plan, kind)) {
        const Operation& operation = plan.operations[i];
        const std::uint32_t target = kind == OpKind::post
                                         ? plan.queue_pairs[operation.target].target.value
                                         : operation.target;
        if (ranks[i].value == s && target == t && s != t) bytes += operation.count;
      }
      if (bytes > 0) all.push_back({s, t, bytes});
    }
  return all;
}

// Two hosts of two ranks, one expert a rank. Rank 0 has a token for both ranks of the other host
// and one for its neighbour; the others have none.
Workload two_hosts() {
  return on_hosts({.experts = 4, .top_k = 2, .tokens = {{{2, 3}, {1, kMasked}}, {}, {}, {}}});
}

}  // namespace

TEST_CASE("hybrid: a token crosses the network once for each host and NVLink once for each rank") {
  // FP8 with a header: 16 + 1024 + 32 B, and 4 B for each of the two experts of a host.
  constexpr std::int64_t kRow = 1072 + 8;
  const Plan plan = dispatch(two_hosts());
  CHECK(carried(plan, OpKind::post) == std::vector<Carried>{{0, 2, kRow}});  // same place
  CHECK(carried(plan, OpKind::put) == std::vector<Carried>{{0, 1, kRow}, {2, 3, kRow}});
}

TEST_CASE("hybrid: a host adds its rows up before one crosses the network home") {
  // Rank 3 holds a row for rank 0, whose place on that host is rank 2's: there it meets rank 2's
  // own and one row of 2048 B goes home. Rank 1's row goes straight to rank 0.
  const Plan plan = combine(two_hosts());
  CHECK(carried(plan, OpKind::put) == std::vector<Carried>{{1, 0, 2048}, {3, 2, 2048}});
  CHECK(carried(plan, OpKind::post) == std::vector<Carried>{{2, 0, 2048}});
}

TEST_CASE("hybrid: both run on several hosts, and on one without a NIC") {
  for (const auto make : {&dispatch, &combine}) {
    const Workload workload = two_hosts();
    const Plan plan = make(workload);
    CHECK(execute(plan, *workload.topology).aligned_latency(plan) > Duration{});
    for (const NamedWorkload& odd : odd_workloads()) {
      CAPTURE(odd.name);
      const Plan other = make(odd.workload);
      CHECK(other.queue_pairs.empty());
      CHECK(execute(other, *odd.workload.topology).aligned_latency(other) > Duration{});
    }
  }
}

TEST_CASE("hybrid: chunks of 64 tokens are dealt to as many CTAs as there are SMs") {
  // 200 tokens are four chunks; the copying agents of two CTAs take two each, one put a chunk.
  Workload workload =
      on_hosts({.experts = 4, .top_k = 1, .tokens = {same_tokens(200, {1}), {}, {}, {}}});
  const Plan plan = dispatch(workload);
  CHECK(operations_of_kind(plan, OpKind::put).size() == 4);
  CHECK(plan.ctas.size() == 4 * 2);
  workload.sms = 0;
  CHECK_THROWS_AS((void)dispatch(workload), Bug);
}

TEST_CASE("hybrid: twice the SMs copy in half the time until a link is full") {
  // 6400 tokens to the neighbour: 100 chunks of 64 rows of 1080 B. A row takes 1 us and 1080 B at
  // 100 GB/s: 6400 * 1.0108 us on one SM, half of it on two; the link would take 69 us.
  Workload workload =
      on_hosts({.experts = 4, .top_k = 1, .tokens = {same_tokens(6400, {1}), {}, {}, {}}});
  for (const std::int64_t sms : {1, 2, 4}) {
    CAPTURE(sms);
    workload.sms = sms;
    const Plan plan = dispatch(workload);
    CHECK(to_us(execute(plan, *workload.topology).aligned_latency(plan)) ==
          doctest::Approx(6400 * 1.0108 / static_cast<double>(sms)).epsilon(0.02));
  }
}
