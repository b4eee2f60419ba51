#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/topologies/fabric_samples.hpp"
#include "topologies/registry.hpp"

using namespace epsim;
using namespace epsim::samples;
using namespace std::chrono_literals;

namespace {

// Four hosts of two GPUs, two hosts a leaf: leaf0 has rail 0 of hosts 0 and 1, leaf1 rail 1 of
// them, leaf2 and leaf3 those of hosts 2 and 3.
Topology rails(const std::string& more = "") {
  return fabric("hgx-h800-cx7",
                R"({"hosts": 4, "gpus_per_host": 2, "leaf_ports": 2, "spines": 3)" + more + "}");
}

// Eight hosts of two GPUs, two hosts a leaf, two leaves a pod, two spines a pod, four cores.
Topology tree(const std::string& more = "") {
  return fabric("h100-fat-tree",
                R"({"hosts": 8, "gpus_per_host": 2, "leaf_ports": 4, "pod_leaves": 2, "spines": 2,
                    "cores": 4)" +
                    more + "}");
}

// Four hosts of two GPUs, two planes; of each two leaves of two hosts.
Topology planes() {
  return fabric("h800-multi-plane",
                R"({"hosts": 4, "gpus_per_host": 2, "leaf_ports": 2, "spines": 2})");
}

// Eight hosts of two GPUs, a host a leaf, two leaves a group: four groups.
Topology groups() {
  return fabric("h100-dragonfly-plus",
                R"({"hosts": 8, "gpus_per_host": 2, "leaf_ports": 2, "group_leaves": 2,
                    "spines": 2})");
}

}  // namespace

TEST_CASE("rail_optimised: nodes and links are those of hosts, leaves and spines") {
  const Topology fabric = rails();
  // 8 GPUs with a PCIe switch and a NIC each, 4 NVSwitches, 4 leaves, 3 spines.
  CHECK(fabric.nodes().size() == 8 * 3 + 4 + 4 + 3);
  // Cables: a GPU has 4 (NVLink, to PCIe, to NIC, to leaf); 4 leaves to 3 spines. Two links each.
  CHECK(fabric.links().size() == 2 * (8 * 4 + 4 * 3));
  CHECK(fabric.has_network());
  CHECK(fabric.network_routing() == NetworkRouting::adaptive);
  CHECK(fabric.nvlink_domain_count() == 4);
  CHECK(fabric.nvlink_domain(GpuId{3}) == 1);
}

TEST_CASE("rail_optimised: a host is crossed by NVLink, a rail by one leaf, rails by a spine") {
  const Topology fabric = rails();
  CHECK(route(fabric, 0, 1) == Names{"host0.gpu0->host0.nvswitch0", "host0.nvswitch0->host0.gpu1"});
  CHECK(route(fabric, 0, 2) == Names{"host0.gpu0->host0.pcie0",
                                     "host0.pcie0->host0.nic0",
                                     "host0.nic0->leaf0",
                                     "leaf0->host1.nic0",
                                     "host1.nic0->host1.pcie0",
                                     "host1.pcie0->host1.gpu0"});
  CHECK(route(fabric, 0, 3) == Names{"host0.gpu0->host0.pcie0",
                                     "host0.pcie0->host0.nic0",
                                     "host0.nic0->leaf0",
                                     "leaf0->spine0",
                                     "spine0->leaf1",
                                     "leaf1->host1.nic1",
                                     "host1.nic1->host1.pcie1",
                                     "host1.pcie1->host1.gpu1"});
  // By hand: four PCIe links of 115 ns, two cables of NICs of 100 ns, one switch or three of 450
  // ns.
  CHECK(fabric.route_latency(GpuId{0}, GpuId{2}) == 1110ns);
  CHECK(fabric.route_latency(GpuId{0}, GpuId{3}) == 2010ns);
  CHECK(fabric.route_bandwidth(GpuId{0}, GpuId{3}) == Bandwidth{100e9 / 3});
}

TEST_CASE("rail_optimised: a leaf may send on by any spine, a spine by one leaf") {
  const Topology fabric = rails();
  CHECK(ways_on(fabric, "leaf0", 3) == Names{"leaf0->spine0", "leaf0->spine1", "leaf0->spine2"});
  CHECK(ways_on(fabric, "leaf0", 4) == Names{"leaf0->spine0", "leaf0->spine1", "leaf0->spine2"});
  CHECK(ways_on(fabric, "leaf0", 2) == Names{"leaf0->host1.nic0"});
  CHECK(ways_on(fabric, "spine1", 7) == Names{"spine1->leaf3"});
  // The network does not take NVLink, even within a host.
  CHECK(ways_on(fabric, "host0.gpu0", 1) == Names{"host0.gpu0->host0.pcie0"});
  CHECK(network_latency(fabric, 0, 1) == 2010ns);
}

TEST_CASE("rail_optimised: spines carry the bandwidth of the NICs over the oversubscription") {
  // Of two hosts in each half, each with two NICs of 50 GB/s: 4 x 50 GB/s.
  CHECK(rails().bisection_bandwidth().bytes_per_second == doctest::Approx(200e9));
  // Over spines alone: leaf0 and leaf1 send up 2 x 50 GB/s each, a fourth of that with 4 to 1.
  CHECK(rails(R"(, "oversubscription": 4)").bisection_bandwidth().bytes_per_second ==
        doctest::Approx(50e9));
  const Topology narrow = rails(R"(, "oversubscription": 4)");
  CHECK(narrow.link(narrow.network_links(node_named(narrow, "leaf0"), GpuId{3})[0])
            .bandwidth.bytes_per_second == doctest::Approx(2 * 50e9 / 4 / 3));
}

TEST_CASE("rail_optimised: a leaf with free ports keeps all its ways up") {
  const Topology two = fabric("hgx-h800-cx7", R"({"hosts": 2})");
  // 32 ports of 50 GB/s over 8 spines, four cables to each.
  CHECK(two.link(two.network_links(node_named(two, "leaf0"), GpuId{1})[0]).bandwidth ==
        Bandwidth{200e9});
}

TEST_CASE("rail_optimised: one host still has its NICs and leaves") {
  const Topology one = fabric("hgx-h100-roce200", R"({"hosts": 1})");
  CHECK(one.gpu_count() == 8);
  CHECK(one.has_network());
  CHECK(one.network_routing() == NetworkRouting::ecmp);
  // By hand: four PCIe links, two cables of NICs, three switches of 1 us.
  CHECK(network_latency(one, 0, 7) == 4 * 115ns + 2 * 100ns + 3us);
  CHECK(network_latency(fabric("h100-fat-tree", R"({"hosts": 1})"), 0, 7) ==
        4 * 115ns + 2 * 100ns + 450ns);
}

TEST_CASE("fat_tree: hosts meet in their leaf, their pod or the cores") {
  const Topology fabric = tree();
  // 16 GPUs x 3, 8 NVSwitches, 4 leaves, 2 pods x 2 spines, 4 cores.
  CHECK(fabric.nodes().size() == 16 * 3 + 8 + 4 + 4 + 4);
  // Cables: 4 a GPU, 4 leaves to 2 spines, 4 spines to 2 cores.
  CHECK(fabric.links().size() == 2 * (16 * 4 + 4 * 2 + 4 * 2));
  // Beside PCIe and NIC cables, 660 ns, one, three and five switches of 450 ns. All NICs of a host
  // are at its leaf.
  CHECK(network_latency(fabric, 0, 1) == 660ns + 450ns);
  CHECK(network_latency(fabric, 0, 3) == 660ns + 450ns);
  CHECK(network_latency(fabric, 0, 4) == 660ns + 3 * 450ns);
  CHECK(network_latency(fabric, 0, 15) == 660ns + 5 * 450ns);
  CHECK(ways_on(fabric, "leaf0", 15) == Names{"leaf0->pod0.spine0", "leaf0->pod0.spine1"});
  CHECK(ways_on(fabric, "pod0.spine1", 15) == Names{"pod0.spine1->core2", "pod0.spine1->core3"});
  CHECK(ways_on(fabric, "core3", 15) == Names{"core3->pod1.spine1"});
  // 8 NICs of 50 GB/s in each half; two to one, the leaves pass on half.
  CHECK(fabric.bisection_bandwidth().bytes_per_second == doctest::Approx(400e9));
  CHECK(tree(R"(, "oversubscription": 2)").bisection_bandwidth().bytes_per_second ==
        doctest::Approx(200e9));
}

TEST_CASE("fat_tree: with two tiers all leaves have the same spines") {
  const Topology fabric = tree(R"(, "tiers": 2)");
  CHECK(fabric.nodes().size() == 16 * 3 + 8 + 4 + 2);
  CHECK(network_latency(fabric, 0, 15) == 660ns + 3 * 450ns);
  CHECK(ways_on(fabric, "leaf0", 15) == Names{"leaf0->spine0", "leaf0->spine1"});
}

TEST_CASE("fat_tree: leaves that divide hosts and spines with unequal cores are refused") {
  CHECK_THROWS_WITH_AS(fabric("h100-fat-tree", R"({"leaf_ports": 30})"),
                       "scenario.json: /leaf_ports: expected a multiple of 8, since a leaf takes "
                       "all NICs of a host, found 30",
                       InputError);
  CHECK_THROWS_WITH_AS(
      fabric("h100-fat-tree", R"({"cores": 6})"),
      "scenario.json: /cores: expected a multiple of the 4 spines of a pod, found 6",
      InputError);
}

TEST_CASE("multi_plane: GPUs of one number meet in their plane") {
  const Topology fabric = planes();
  // 8 GPUs x 3, 4 NVSwitches, 4 CPUs, 2 planes of 2 leaves and 2 spines.
  CHECK(fabric.nodes().size() == 8 * 3 + 4 + 4 + 2 * 4);
  // Cables: 4 a GPU, 2 x 2 a plane. One-way: PCIe switch to CPU and CPU to NIC, of each GPU.
  CHECK(fabric.links().size() == 2 * (8 * 4 + 2 * 4) + 2 * 8);
  CHECK(route(fabric, 0, 2) == Names{"host0.gpu0->host0.pcie0",
                                     "host0.pcie0->host0.nic0",
                                     "host0.nic0->plane0.leaf0",
                                     "plane0.leaf0->host1.nic0",
                                     "host1.nic0->host1.pcie0",
                                     "host1.pcie0->host1.gpu0"});
  CHECK(ways_on(fabric, "plane0.leaf0", 6) ==
        Names{"plane0.leaf0->plane0.spine0", "plane0.leaf0->plane0.spine1"});
}

TEST_CASE("multi_plane: planes are changed in the sender's host, from PCIe to the other NIC") {
  const Topology fabric = planes();
  CHECK(route(fabric, 0, 3) == Names{"host0.gpu0->host0.pcie0",
                                     "host0.pcie0->host0.cpu0",
                                     "host0.cpu0->host0.nic1",
                                     "host0.nic1->plane1.leaf0",
                                     "plane1.leaf0->host1.nic1",
                                     "host1.nic1->host1.pcie1",
                                     "host1.pcie1->host1.gpu1"});
  // By hand: five PCIe links of 115 ns, two cables of NICs of 100 ns, a switch of 450 ns.
  CHECK(fabric.route_latency(GpuId{0}, GpuId{3}) == 1225ns);
  // Within the host a message still passes a NIC.
  CHECK(ways_on(fabric, "host0.cpu0", 1) == Names{"host0.cpu0->host0.nic1"});
  CHECK(ways_on(fabric, "host0.nic1", 1) == Names{"host0.nic1->host0.pcie1"});
}

TEST_CASE("dragonfly_plus: groups are joined spine by spine") {
  const Topology fabric = groups();
  // 16 GPUs x 3, 8 NVSwitches, 4 groups of 2 leaves and 2 spines.
  CHECK(fabric.nodes().size() == 16 * 3 + 8 + 4 * 4);
  // Cables: 4 a GPU, 2 x 2 in each group, 6 pairs of groups x 2 spines.
  CHECK(fabric.links().size() == 2 * (16 * 4 + 4 * 4 + 6 * 2));
  // Beside 660 ns: a leaf; a leaf, a spine, a leaf; two of each, one behind a long cable of 700 ns.
  CHECK(network_latency(fabric, 0, 1) == 660ns + 450ns);
  CHECK(network_latency(fabric, 0, 2) == 660ns + 3 * 450ns);
  CHECK(network_latency(fabric, 0, 15) == 660ns + 3 * 450ns + 700ns);
  CHECK(ways_on(fabric, "group0.leaf0", 15) ==
        Names{"group0.leaf0->group0.spine0", "group0.leaf0->group0.spine1"});
  CHECK(ways_on(fabric, "group0.spine1", 15) == Names{"group0.spine1->group3.spine1"});
  // A leaf sends up 2 x 50 GB/s, a spine gets half of that from each of two leaves: 100 GB/s, a
  // third of it to each other group. Half of the groups to the other half: 4 pairs x 2 spines.
  CHECK(fabric.bisection_bandwidth().bytes_per_second == doctest::Approx(8 * 100e9 / 3));
}

TEST_CASE("host fabrics: more GPUs than a topology holds are refused where hosts are counted") {
  CHECK_THROWS_WITH_AS(fabric("hgx-h800-cx7", R"({"hosts": 300})"),
                       "scenario.json: /hosts: expected at most 256 of 8 GPUs each; a topology "
                       "holds at most 2048 GPUs, found 300",
                       InputError);
}

TEST_CASE("host fabrics: 64 hosts of eight stand in seconds, even in a slow build") {
  const auto start = std::chrono::steady_clock::now();
  CHECK(fabric("hgx-h800-cx7", R"({"hosts": 64})").gpu_count() == 512);
  CHECK(std::chrono::steady_clock::now() - start < 20s);
}
