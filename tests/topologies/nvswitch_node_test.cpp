#include <chrono>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "topologies/registry.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Topology node_with(const std::string& gpus) {
  return build_topology(JsonDocument::parse(R"({
    "schema": "epsim.topology/1", "name": "node", "description": "", "kind": "nvswitch_node",
    "sources": [], "gpu": "H200", "sms": 132, "hbm_bandwidth": "4.8 TB/s",
    "hbm_capacity": "141 GB", "l2_size": "60 MiB", "nvlink_bandwidth": "450 GB/s",
    "nvlink_latency": "250 ns", "gpus": )" + gpus +
                                                "}",
                                            "node.json"))
      .topology;
}

}  // namespace

TEST_CASE("nvswitch_node: two GPUs are joined up one cable and down the other") {
  const Topology node = node_with("2");
  CHECK(node.nodes().size() == 3);
  CHECK(node.links().size() == 4);
  const auto route = node.route(GpuId{0}, GpuId{1});
  REQUIRE(route.size() == 2);
  CHECK(node.link_name(route[0]) == "gpu0->nvswitch0");
  CHECK(node.link_name(route[1]) == "nvswitch0->gpu1");
  CHECK(node.route_latency(GpuId{0}, GpuId{1}) == 500ns);
  CHECK(node.route_bandwidth(GpuId{0}, GpuId{1}) == Bandwidth{450e9});
}

TEST_CASE("nvswitch_node: a sender's link is first come first served, a receiver's is shared") {
  const Topology node = node_with("8");
  for (const Link& link : node.links())
    CHECK(link.sharing ==
          (node.node(link.source).kind == NodeKind::gpu ? LinkSharing::fifo : LinkSharing::fair));
}

TEST_CASE("nvswitch_node: bisection is half the GPUs at full rate") {
  // By hand: 4 x 450 GB/s; with an odd count the smaller half sends, 3 x 450 GB/s.
  CHECK(node_with("8").bisection_bandwidth() == Bandwidth{1800e9});
  CHECK(node_with("7").bisection_bandwidth() == Bandwidth{1350e9});
  CHECK(node_with("1").bisection_bandwidth() == Bandwidth{0});
}

TEST_CASE("nvswitch_node: 512 GPUs stand in under a second, every pair two links apart") {
  const auto start = std::chrono::steady_clock::now();
  const Topology node = node_with("512");
  CHECK(std::chrono::steady_clock::now() - start < 1s);

  bool all_two_links = true;
  bool all_share_first_link = true;
  for (std::uint32_t i = 0; i < 512; ++i) {
    for (std::uint32_t j = 0; j < 512; ++j) {
      if (i == j) continue;
      const auto route = node.route(GpuId{i}, GpuId{j});
      all_two_links = all_two_links && route.size() == 2;
      all_share_first_link = all_share_first_link && node.link(route[0]).source == NodeId{i};
    }
  }
  CHECK(all_two_links);
  CHECK(all_share_first_link);
  CHECK(node.bisection_bandwidth() == Bandwidth{256 * 450e9});
}

TEST_CASE("nvswitch_node: a parameter missing, misspelt or of no machine is refused") {
  const auto error_of = [](const std::string& gpus) -> std::string {
    try {
      (void)node_with(gpus);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(error_of("0") == "node.json: /gpus: expected a whole number from 1 to 2048, found 0");
  CHECK(error_of("2.5") == "node.json: /gpus: expected a whole number from 1 to 2048, found 2.5");
  CHECK(error_of("2, \"planes\": 4").starts_with("node.json: /planes: unknown key"));
}
