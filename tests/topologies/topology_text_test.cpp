#include "topologies/topology_text.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

JsonObject overrides(const std::string& text) {
  return JsonDocument::parse(text, "overrides").root().object();
}

std::string written(const Topology& topology) {
  JsonWriter writer;
  write_topology(topology, writer);
  return writer.take();
}

std::size_t line_count(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("topology text: what is written reads back as the same topology, byte for byte") {
  for (const TopologyPreset& preset : topology_presets()) {
    CAPTURE(preset.name);
    const Topology before = load_topology(preset.name).topology;
    const Topology after =
        build_topology(JsonDocument::parse(written(before), "written.json")).topology;
    CHECK(after.gpu_spec() == before.gpu_spec());
    CHECK(std::ranges::equal(after.nodes(), before.nodes()));
    CHECK(std::ranges::equal(after.links(), before.links()));
    CHECK(std::ranges::equal(after.sources(), before.sources()));
    CHECK(after.network_routing() == before.network_routing());
    CHECK(written(after) == written(before));
  }
}

TEST_CASE("topology text: a node is described with drawing, links, routes and bisection") {
  const Topology node = load_topology("hgx-h200", overrides(R"({"gpus": 4})")).topology;
  const std::string text = describe_topology(node);
  // By hand: 4 x 3 ordered pairs, 2 x 250 ns, and 2 x 450 GB/s across the middle.
  const std::string expected =
      "hgx-h200: H200 GPUs on one NVSwitch plane, eight by default\n"
      "\n"
      "      gpu0  gpu1  gpu2  gpu3\n"
      "       |     |     |     |\n"
      "    +--+-----+-----+-----+---+\n"
      "    |       nvswitch0        |\n"
      "    +------------------------+\n"
      "\n"
      "  GPUs       4 x H200: 132 SMs, HBM 141.0 GB at 4.80 TB/s, L2 60 MiB\n"
      "  graph      5 nodes, 8 one-way links\n"
      "  links         4 x gpu -> nvswitch        nvlink  450.0 GB/s  250.0 ns  fifo\n"
      "                4 x nvswitch -> gpu        nvlink  450.0 GB/s  250.0 ns  fair\n"
      "  routes     12 pairs of GPUs, 2 links each, 500.0 ns, 450.0 GB/s\n"
      "  bisection  900.0 GB/s from the first half of the GPUs to the second\n";
  CHECK(text.substr(0, text.find("  source ")) == expected);
  for (const std::string& source : node.sources())
    CHECK(text.find("  source     " + source + "\n") != std::string::npos);
}

TEST_CASE("topology text: a row of many GPUs is cut, so that it still fits one screen") {
  const Topology node = load_topology("hgx-h200", overrides(R"({"gpus": 512})")).topology;
  const std::string text = describe_topology(node);
  CHECK(text.find("gpu0    gpu1    gpu2    gpu3    ...    gpu509  gpu510  gpu511\n") !=
        std::string::npos);
  CHECK(line_count(text) <= 24);
}

TEST_CASE("topology text: what differs between routes is told as a range, and no star is drawn") {
  const Topology three = build_topology(JsonDocument::parse(R"({
    "schema": "epsim.topology/1", "name": "three", "description": "a pair and a third",
    "kind": "custom", "sources": [], "gpu": "H200", "sms": 132, "hbm_bandwidth": "4.8 TB/s",
    "hbm_capacity": "141 GB", "l2_size": "60 MiB",
    "nodes": [{"name": "a", "kind": "gpu"}, {"name": "b", "kind": "gpu"},
              {"name": "c", "kind": "gpu"}, {"name": "s", "kind": "network_switch"}],
    "links": [
      {"source": "a", "target": "b", "bandwidth": "450 GB/s", "latency": "500 ns",
       "kind": "nvlink", "duplex": true},
      {"source": "a", "target": "s", "bandwidth": "50 GB/s", "latency": "1 us",
       "kind": "rdma", "duplex": true},
      {"source": "b", "target": "s", "bandwidth": "50 GB/s", "latency": "1 us",
       "kind": "rdma", "duplex": true},
      {"source": "s", "target": "c", "bandwidth": "50 GB/s", "latency": "1 us",
       "kind": "rdma", "duplex": true}]})",
                                                            "three.json"))
                             .topology;
  // By hand: a to b directly, 500 ns; a or b to c over s, 2 us. Of {a} against {b, c}: 450 + 50.
  CHECK(describe_topology(three) ==
        "three: a pair and a third\n"
        "\n"
        "  GPUs       3 x H200: 132 SMs, HBM 141.0 GB at 4.80 TB/s, L2 60 MiB\n"
        "  graph      4 nodes, 8 one-way links\n"
        "  links         2 x gpu -> gpu             nvlink  450.0 GB/s  500.0 ns  fifo\n"
        "                3 x gpu -> network_switch  rdma     50.0 GB/s   1.00 us  fifo\n"
        "                3 x network_switch -> gpu  rdma     50.0 GB/s   1.00 us  fifo\n"
        "  routes     6 pairs of GPUs, 1 to 2 links each, 500.0 ns to 2.00 us, 50.0 GB/s to "
        "450.0 GB/s\n"
        "  bisection  500.0 GB/s from the first half of the GPUs to the second\n");
}

TEST_CASE("topology text: a fabric is told in one screen, its network with it") {
  const std::string text = describe_topology(load_topology("h100-fat-tree").topology);
  // By hand: 4 leaves x 4 spines and 8 spines x 2 cores, each two links; 8 hosts x 8 NICs of 50
  // GB/s.
  CHECK(text.find("   64 x network_switch -> network_switch rdma    400.0 GB/s") !=
        std::string::npos);
  CHECK(text.find("  network    16 NVLink domains, adaptive routing\n") != std::string::npos);
  CHECK(text.find("  bisection  3.20 TB/s from the first half") != std::string::npos);
  CHECK(line_count(text) <= 30);
}

TEST_CASE("topology text: one GPU has no routes to tell of") {
  const Topology node = load_topology("hgx-h200", overrides(R"({"gpus": 1})")).topology;
  CHECK(describe_topology(node).find("  routes     none: one GPU\n") != std::string::npos);
}
