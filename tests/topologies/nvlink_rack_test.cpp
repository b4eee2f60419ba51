#include <chrono>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/topologies/fabric_samples.hpp"
#include "topologies/registry.hpp"

using namespace epsim;
using namespace epsim::samples;
using namespace std::chrono_literals;

TEST_CASE("nvlink_rack: one rack is one domain of 72 on one switch, without NICs") {
  const Topology rack = load_topology("gb200-nvl72").topology;
  CHECK(rack.gpu_count() == 72);
  CHECK(rack.nodes().size() == 73);
  CHECK(rack.links().size() == 144);
  CHECK(rack.nvlink_domain_count() == 1);
  CHECK(!rack.has_network());
  CHECK(route(rack, 0, 71) == Names{"gpu0->nvswitch0", "nvswitch0->gpu71"});
  CHECK(load_topology("gb200-nvl36").topology.gpu_count() == 36);
  CHECK(load_topology("gb300-nvl72").topology.gpu_count() == 72);
}

TEST_CASE("nvlink_rack: two racks are two domains, joined by the NICs of their trays") {
  const Topology racks = fabric("gb200-nvl72", R"({"racks": 2})");
  CHECK(racks.gpu_count() == 144);
  CHECK(racks.nvlink_domain_count() == 2);
  CHECK(racks.nvlink_domain(GpuId{71}) == 0);
  CHECK(racks.nvlink_domain(GpuId{72}) == 1);
  // 144 GPUs with half a CPU and a NIC each, 2 NVSwitches, 4 rails x 2 leaves of 18 trays, 6
  // spines.
  CHECK(racks.nodes().size() == 144 * 3 + 2 + 8 + 6);
  CHECK(racks.links().size() == 2 * (144 * 4 + 8 * 6));
  CHECK(route(racks, 0, 71).size() == 2);
  CHECK(route(racks, 5, 72) == Names{"rack0.gpu5->rack0.cpu2.port1",
                                     "rack0.cpu2.port1->rack0.nic5",
                                     "rack0.nic5->leaf1",
                                     "leaf1->spine0",
                                     "spine0->leaf4",
                                     "leaf4->rack1.nic0",
                                     "rack1.nic0->rack1.cpu0.port0",
                                     "rack1.cpu0.port0->rack1.gpu0"});
  // By hand: two C2C links of 200 ns, two PCIe links of 115 ns, two cables of 100 ns, three
  // switches of 450 ns.
  CHECK(racks.route_latency(GpuId{5}, GpuId{72}) == 400ns + 230ns + 200ns + 1350ns);
  CHECK(ways_on(racks, "leaf1", 72).size() == 6);
}

TEST_CASE("nvlink_rack: a NIC that holds its PCIe switch is one link from its GPU") {
  const Topology racks = fabric("gb300-nvl72", R"({"racks": 2, "leaf_ports": 36})");
  // Leaves of 36 ports hold a rail of both racks. By hand: two PCIe links, two cables, a switch.
  CHECK(route(racks, 0, 72).size() == 4);
  CHECK(racks.route_latency(GpuId{0}, GpuId{72}) == 230ns + 200ns + 450ns);
  CHECK(racks.route_bandwidth(GpuId{0}, GpuId{72}) == Bandwidth{100e9});
}

TEST_CASE("nvlink_rack: several racks have whole trays") {
  CHECK(fabric("gb200-nvl72", R"({"gpus": 6})").gpu_count() == 6);
  CHECK_THROWS_WITH_AS(fabric("gb200-nvl72", R"({"gpus": 6, "racks": 2})"),
                       "scenario.json: /gpus: expected a multiple of the 4 GPUs of a tray, found 6",
                       InputError);
}
