#include "models/internode.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "models/bounds.hpp"
#include "models/internode_channels.hpp"
#include "models/network_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"
#include "sim/execute.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "tests/support/round_constants.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

// Hosts on one network switch, a NIC for each GPU. Links in order: for each GPU, to its NVSwitch
// and back, to its NIC and back, from the NIC to the network switch and back.
std::shared_ptr<const Topology> hosts_topology(const std::vector<std::uint32_t>& gpus_of_host) {
  TopologyParts parts;
  parts.file = "hosts";
  parts.name = "hosts";
  parts.gpu = round_topology()->gpu_spec();
  const auto add = [&](std::string name, NodeKind kind) {
    parts.nodes.push_back({std::move(name), kind});
    return NodeId{static_cast<std::uint32_t>(parts.nodes.size() - 1)};
  };
  const auto cable = [&](NodeId one, NodeId other, LinkKind kind) {
    for (const auto& [source, target] : {std::pair{one, other}, std::pair{other, one}})
      parts.links.push_back({.source = source,
                             .target = target,
                             .bandwidth = Bandwidth{100e9},
                             .latency = std::chrono::nanoseconds{100},
                             .kind = kind});
  };
  const NodeId core = add("core", NodeKind::network_switch);
  std::uint32_t gpu_number = 0;
  for (const std::uint32_t gpus : gpus_of_host) {
    const NodeId nvswitch = add("nvswitch of gpu" + std::to_string(gpu_number), NodeKind::nvswitch);
    for (std::uint32_t g = 0; g < gpus; ++g, ++gpu_number) {
      const NodeId gpu = add("gpu" + std::to_string(gpu_number), NodeKind::gpu);
      const NodeId nic = add("nic" + std::to_string(gpu_number), NodeKind::nic);
      cable(gpu, nvswitch, LinkKind::nvlink);
      cable(gpu, nic, LinkKind::pcie);
      cable(nic, core, LinkKind::rdma);
    }
  }
  return std::make_shared<const Topology>(std::move(parts));
}

ConstantSet networked_hardware() {
  ConstantSet constants = round_hardware();
  const ConstantSet network = round_constants(network_constants());
  for (const Constant& constant : network.all()) constants.put(constant);
  return constants;
}
Plan dispatch(const Workload& workload) {
  return plan_normal_dispatch(workload, networked_hardware(), round_constants(normal_constants()));
}
Plan combine(const Workload& workload) {
  return plan_normal_combine(workload, networked_hardware(), round_constants(normal_constants()));
}

// Two hosts of two ranks, one expert a rank. Rank 0: token {0, 1} stays on its host, {2, 3} goes to
// the other, {1, 3} to both. Rank 3: {0, 2} goes to both. The others have none.
Workload four_ranks() {
  Workload workload = round_workload(
      {.experts = 4, .top_k = 2, .tokens = {{{0, 1}, {2, 3}, {1, 3}}, {}, {}, {{0, 2}}}});
  workload.topology = hosts_topology({2, 2});
  return workload;
}

Workload random_hosts(std::uint32_t hosts, std::uint32_t locals, std::uint32_t tokens) {
  Workload workload;
  const RoutingShape shape{.ranks = hosts * locals, .experts = hosts * locals * 4, .top_k = 4};
  RoutingSpec spec;
  spec.shape = shape;
  spec.tokens_per_rank = tokens;
  workload.routing = std::make_shared<const Routing>(make_routing(spec, Rng(7)));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = shape.ranks, .experts = shape.experts}));
  workload.topology = hosts_topology(std::vector<std::uint32_t>(hosts, locals));
  workload.hidden = 1024;
  workload.sms = 4;
  workload.rank_start.resize(shape.ranks);
  return workload;
}

using Pair = std::pair<std::uint32_t, std::uint32_t>;

// Bytes by (source, target): those posted, and those of puts.
std::map<Pair, std::int64_t> posted(const Plan& plan) {
  std::map<Pair, std::int64_t> bytes;
  for (const std::size_t i : operations_of_kind(plan, OpKind::post)) {
    const QueuePair& queue = plan.queue_pairs[plan.operations[i].target];
    bytes[{queue.source.value, queue.target.value}] += plan.operations[i].count;
  }
  return bytes;
}
std::map<Pair, std::int64_t> stored(const Plan& plan) {
  std::map<Pair, std::int64_t> bytes;
  const std::vector<RankId> ranks = operation_ranks(plan);
  for (const std::size_t i : operations_of_kind(plan, OpKind::put))
    bytes[{ranks[i].value, plan.operations[i].target}] += plan.operations[i].count;
  return bytes;
}

// Every flag gets what its last waiter asks for and no more, unless it gives credit: the last rows
// of a ring need none.
void check_flags(const Plan& plan) {
  std::vector<std::uint64_t> added(plan.flags.size());
  std::vector<std::uint64_t> awaited(plan.flags.size());
  for (const Operation& operation : plan.operations) {
    if (operation.kind == OpKind::signal) added[operation.target] += operation.count;
    if (operation.kind == OpKind::post_signal)
      added[operation.target] += operation.detail >> kIncrementShift;
    if (operation.kind == OpKind::wait)
      awaited[operation.target] =
          std::max<std::uint64_t>(awaited[operation.target], operation.count);
  }
  std::size_t exact = 0;
  for (std::size_t f = 0; f < added.size(); ++f) {
    CHECK(awaited[f] <= added[f]);
    if (added[f] > 0 && awaited[f] == added[f]) ++exact;
  }
  CHECK(exact > 0);
}

}  // namespace

TEST_CASE("internode: rings have the chunks and queues that DeepEP tunes by rank count") {
  const auto shape = [](const InternodeRings& rings) {
    return std::vector<std::int64_t>{
        rings.nvlink.chunk, rings.nvlink.queue, rings.rdma.chunk, rings.rdma.queue};
  };
  using Shape = std::vector<std::int64_t>;
  CHECK(shape(internode_dispatch_rings(16)) == Shape{36, 288, 20, 128});
  CHECK(shape(internode_dispatch_rings(64)) == Shape{32, 288, 8, 128});
  CHECK(shape(internode_dispatch_rings(160)) == Shape{28, 720, 12, 128});
  CHECK(shape(internode_combine_rings(16)) == Shape{4, 288, 12, 128});
  CHECK(shape(internode_combine_rings(64)) == Shape{1, 288, 8, 128});
  CHECK(shape(internode_combine_rings(144)) == Shape{2, 720, 8, 128});
  // Fewer ranks than any configuration of several hosts: that of the fewest.
  CHECK(shape(internode_dispatch_rings(4)) == shape(internode_dispatch_rings(16)));
}

TEST_CASE("internode: a dispatch crosses the network once a host, between GPUs of one place") {
  // 16 + 1024 + 32 = 1072 B a row. Rank 0 sends {2, 3} and {1, 3} to host 1, through rank 2; rank 3
  // sends {0, 2} to host 0, through rank 1.
  constexpr std::int64_t kRow = 1072;
  const Plan plan = dispatch(four_ranks());
  CHECK(plan.name == "internode dispatch");
  CHECK(posted(plan) == std::map<Pair, std::int64_t>{{{0, 2}, 2 * kRow}, {{3, 1}, 1 * kRow}});
  // NVLink rings: {0, 1} from rank 0 to 0 and 1; {1, 3} to 1; rank 2 passes {2, 3} on to 2 and 3,
  // and {1, 3} to 3. {0, 2} of rank 3 to 2, and by rank 1 to 0.
  CHECK(stored(plan) == std::map<Pair, std::int64_t>{{{0, 0}, 1 * kRow},
                                                     {{0, 1}, 2 * kRow},
                                                     {{2, 2}, 1 * kRow},
                                                     {{2, 3}, 2 * kRow},
                                                     {{3, 2}, 1 * kRow},
                                                     {{1, 0}, 1 * kRow}});
  check_flags(plan);
}

TEST_CASE("internode: a combine sends one sum a host back, and rows by NVLink before") {
  // 2048 B a row. Rank 2 adds up host 1's rows of rank 0's two tokens, rank 1 host 0's of rank 3's.
  constexpr std::int64_t kRow = 2048;
  const Plan plan = combine(four_ranks());
  CHECK(plan.name == "internode combine");
  CHECK(posted(plan) == std::map<Pair, std::int64_t>{{{2, 0}, 2 * kRow}, {{1, 3}, 1 * kRow}});
  CHECK(stored(plan) == std::map<Pair, std::int64_t>{{{0, 0}, 1 * kRow},
                                                     {{1, 0}, 2 * kRow},
                                                     {{2, 2}, 1 * kRow},
                                                     {{3, 2}, 2 * kRow},
                                                     {{2, 3}, 1 * kRow},
                                                     {{0, 1}, 1 * kRow}});
  check_flags(plan);
}

TEST_CASE(
    "internode: a write and the atomic that tells of it share a queue pair of their channel") {
  const Workload workload = random_hosts(2, 2, 100);
  for (const Plan& plan : {dispatch(workload), combine(workload)}) {
    // 4 ranks, one other host, two channels.
    CHECK(plan.queue_pairs.size() == 8);
    std::size_t posts = 0;
    for (std::size_t i = 0; i < plan.operations.size(); ++i) {
      if (plan.operations[i].kind != OpKind::post) continue;
      ++posts;
      REQUIRE(plan.operations[i + 1].kind == OpKind::post_signal);
      CHECK(plan.operations[i + 1].count == plan.operations[i].target);
    }
    // Each with a tail; and for each a head that goes back.
    CHECK(operations_of_kind(plan, OpKind::post_signal).size() == 2 * posts);
  }
}

TEST_CASE("internode: whatever the hosts, rings drain and no credit is awaited for ever") {
  // Rings of 128 rows are far shorter than the 600 or 300 rows that a channel brings. The engine
  // throws when an agent never ends.
  const std::vector<Workload> workloads = {
      random_hosts(2, 2, 600), random_hosts(5, 1, 600), random_hosts(3, 3, 301), [] {
        Workload hot = random_hosts(4, 2, 1);  // one rank has all tokens, and all go to its last
        hot.routing =
            std::make_shared<const Routing>(RoutingShape{.ranks = 8, .experts = 8, .top_k = 1},
                                            std::vector<std::uint32_t>{700, 0, 0, 1, 0, 0, 0, 0},
                                            std::vector<ExpertChoice>(701, ExpertChoice{7}));
        hot.placement = std::make_shared<const ExpertPlacement>(
            ExpertPlacement::contiguous({.ranks = 8, .experts = 8}));
        return hot;
      }()};
  for (const Workload& workload : workloads)
    for (const Plan& plan : {dispatch(workload), combine(workload)}) {
      CAPTURE(plan.name);
      check_flags(plan);
      const Timeline timeline = execute(plan, *workload.topology);
      const Bounds bounds = bounds_of(plan, *workload.topology);
      CHECK(timeline.aligned_latency(plan) >= bounds.tightest().latency);
    }
}

TEST_CASE("internode: rows that all cross one NIC take at least its wire's time") {
  // 2000 tokens of rank 0 for rank 2: 2000 rows of 1072 B at 100 GB/s are 21.44 us on the wire.
  Workload workload =
      round_workload({.experts = 4, .top_k = 1, .tokens = {same_tokens(2000, {2}), {}, {}, {}}});
  workload.topology = hosts_topology({2, 2});
  const Plan plan = dispatch(workload);
  const Timeline timeline = execute(plan, *workload.topology);
  std::int64_t most = 0;
  for (std::size_t l = 0; l < timeline.link_bytes.size(); ++l)
    if (workload.topology->links()[l].kind == LinkKind::rdma)
      most = std::max(most, timeline.link_bytes[l].count);
  // Besides the rows, 8 B an atomic. Half of all (token, host) pairs are visits, so that 40 tokens
  // would bring a host 20 rows; a block has 32 at most: 62 full ones and one of 16.
  CHECK(most == 2000 * 1072 + 63 * 8);
  CHECK(timeline.aligned_latency(plan) > std::chrono::nanoseconds{21'440});
}

TEST_CASE("internode: ranks of one NVLink domain take the intranode plan") {
  Workload workload = random_hosts(2, 2, 40);
  workload.topology = round_topology({.gpus = 4});
  CHECK(dispatch(workload).name == "intranode dispatch");
  CHECK(combine(workload).name == "intranode combine");
}

TEST_CASE("internode: hosts of different size, or no network constants, are wrong input") {
  Workload workload = four_ranks();
  workload.topology = hosts_topology({3, 1});
  CHECK_THROWS_AS((void)dispatch(workload), InputError);
  CHECK_THROWS_AS((void)combine(workload), InputError);
  workload.topology = hosts_topology({1, 2, 1});
  CHECK_THROWS_AS((void)dispatch(workload), InputError);
  workload.topology = hosts_topology({2, 2});
  CHECK_THROWS_AS(
      (void)plan_normal_dispatch(workload, round_hardware(), round_constants(normal_constants())),
      InputError);
  workload.record_accesses = true;
  CHECK_THROWS_AS((void)combine(workload), InputError);
}

TEST_CASE("internode: a counted dispatch exchanges counts over both fabrics first") {
  Workload workload = four_ranks();
  const Plan plain = dispatch(workload);
  workload.counted = true;
  const Plan counted = dispatch(workload);
  CHECK(counted.kernels.size() == 2 * plain.kernels.size());
  // One more write from each rank to the other host: 4 B for each expert of a rank and for the
  // rank, for the two ranks there.
  std::map<Pair, std::int64_t> bytes = posted(plain);
  for (const Pair& pair : {Pair{0, 2}, Pair{1, 3}, Pair{2, 0}, Pair{3, 1}})
    bytes[pair] += 2 * 2 * 4;
  CHECK(posted(counted) == bytes);
  const Timeline slow = execute(counted, *workload.topology);
  const Timeline fast = execute(plain, *workload.topology);
  CHECK(slow.aligned_latency(counted) > fast.aligned_latency(plain));
}
