#include "topologies/topology_spec.hpp"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "topologies/registry.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

const std::string kTwoGpus = R"([{"name": "a", "kind": "gpu"}, {"name": "b", "kind": "gpu"},
                                 {"name": "s", "kind": "nvswitch"}])";

std::string link_text(const std::string& source, const std::string& target) {
  return R"({"source": ")" + source + R"(", "target": ")" + target +
         R"(", "bandwidth": "50 GB/s", "latency": "1 us", "kind": "rdma", "duplex": true})";
}

const std::string kTwoCables = "[" + link_text("a", "s") + ", " + link_text("s", "b") + "]";

std::string custom_text(const std::string& nodes, const std::string& links) {
  return R"({"schema": "epsim.topology/1", "name": "pair", "description": "two", "kind": "custom",
             "sources": ["by hand"], "gpu": "H200", "sms": 132, "hbm_bandwidth": "4.8 TB/s",
             "hbm_capacity": "141 GB", "l2_size": "60 MiB", "nodes": )" +
         nodes + R"(, "links": )" + links + "}";
}

Topology custom(const std::string& nodes, const std::string& links) {
  return build_topology(JsonDocument::parse(custom_text(nodes, links), "t.json")).topology;
}

// What reading this text is refused with, or "" when it is accepted.
std::string error_of(const std::string& text) {
  try {
    (void)build_topology(JsonDocument::parse(text, "t.json"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("custom: a duplex link is a cable, two links one after the other") {
  const Topology pair = custom(kTwoGpus, kTwoCables);
  REQUIRE(pair.links().size() == 4);
  CHECK(pair.link_name(LinkId{0}) == "a->s");
  CHECK(pair.link_name(LinkId{1}) == "s->a");
  CHECK(pair.link(LinkId{1}).bandwidth == Bandwidth{50e9});
  CHECK(pair.link(LinkId{1}).kind == LinkKind::rdma);
  CHECK(pair.link(LinkId{1}).sharing == LinkSharing::fifo);
  CHECK(pair.route_latency(GpuId{0}, GpuId{1}) == 2us);
}

TEST_CASE("custom: a link is one-way unless it is duplex, and may be shared fairly") {
  const std::string there = R"([{"source": "a", "target": "b", "bandwidth": "50 GB/s",
    "latency": "0 ns", "kind": "c2c", "sharing": "fair"},)";
  const std::string back = R"({"source": "b", "target": "a", "bandwidth": "20 GB/s",
    "latency": "0 ns", "kind": "pcie", "duplex": false}])";
  const Topology pair = custom(kTwoGpus, there + back);
  CHECK(pair.links().size() == 2);
  CHECK(pair.link(LinkId{0}).sharing == LinkSharing::fair);
  CHECK(pair.route_bandwidth(GpuId{1}, GpuId{0}) == Bandwidth{20e9});
}

TEST_CASE("custom: a link to a node that is not there is refused") {
  CHECK(error_of(custom_text(kTwoGpus, "[" + link_text("a", "c") + "]")) ==
        "t.json: /links/0/target: expected the name of a node under /nodes, found \"c\"");
  CHECK(error_of(custom_text(kTwoGpus, "[" + link_text("c", "a") + "]")) ==
        "t.json: /links/0/source: expected the name of a node under /nodes, found \"c\"");
}

TEST_CASE("custom: a link from a node to itself is refused") {
  CHECK(error_of(custom_text(kTwoGpus, "[" + link_text("s", "s") + "]")) ==
        "t.json: /links/0/target: expected another node than the source, found \"s\"");
}

TEST_CASE("custom: two nodes of one name are refused, and so is a node without one") {
  CHECK(error_of(
            custom_text(R"([{"name": "a", "kind": "gpu"}, {"name": "a", "kind": "nic"}])", "[]")) ==
        "t.json: /nodes/1/name: a second node named \"a\"; every node needs its own name");
  CHECK(error_of(custom_text(R"([{"name": "", "kind": "gpu"}])", "[]")) ==
        "t.json: /nodes/0/name: expected a name, found \"\"");
}

TEST_CASE("custom: bandwidth that is zero, negative or of no machine is refused") {
  const std::string text = custom_text(kTwoGpus, kTwoCables);
  for (const char* wrong : {"0 GB/s", "-50 GB/s", "1e300 TB/s", "1e-9 B/s"}) {
    CAPTURE(wrong);
    CHECK(error_of(replaced(text, "50 GB/s", wrong)) ==
          "t.json: /links/0/bandwidth: expected a bandwidth from 1 kB/s to 1 PB/s, found \"" +
              std::string(wrong) + "\"");
  }
  CHECK(error_of(replaced(text, "50 GB/s", "50")) ==
        "t.json: /links/0/bandwidth: \"50\" has no unit; write for example \"450 GB/s\"");
}

TEST_CASE("custom: latency that is negative or longer than a second is refused") {
  const std::string text = custom_text(kTwoGpus, kTwoCables);
  for (const char* wrong : {"-1 ns", "2 s"}) {
    CAPTURE(wrong);
    CHECK(error_of(replaced(text, "1 us", wrong)) ==
          "t.json: /links/0/latency: expected a latency from 0 s to 1 s, found \"" +
              std::string(wrong) + "\"");
  }
}

TEST_CASE("custom: GPUs that cannot reach each other are refused by name") {
  CHECK(error_of(custom_text(kTwoGpus, "[" + link_text("a", "s") + "]")) ==
        "t.json: /links: no route from a to b; GPUs do not forward traffic");
}

TEST_CASE("custom: without a GPU it is refused") {
  CHECK(error_of(custom_text("[]", "[]")) ==
        "t.json: /nodes: expected 1 to 2048 nodes of kind gpu, found 0");
}

TEST_CASE("TopologySpec: an unknown key is refused wherever it stands") {
  const std::string text = custom_text(kTwoGpus, kTwoCables);
  CHECK(error_of(replaced(text, "\"sources\"", "\"nods\": [], \"sources\"")) ==
        "t.json: /nods: unknown key; did you mean \"nodes\"?");
  CHECK(error_of(replaced(text, "\"duplex\"", "\"duplx\"")) ==
        "t.json: /links/0/duplx: unknown key; did you mean \"duplex\"?");
  CHECK(error_of(replaced(text, R"("kind": "gpu")", R"("kind": "gpu", "x": 1)")) ==
        "t.json: /nodes/0/x: unknown key; expected one of kind, name");
}

TEST_CASE("TopologySpec: words that it does not know are answered with those that it does") {
  const std::string text = custom_text(kTwoGpus, kTwoCables);
  CHECK(error_of(replaced(text, "\"custom\"", "\"torus\"")) ==
        "t.json: /kind: expected one of nvswitch_node, rail_optimised, fat_tree, multi_plane, "
        "dragonfly_plus, nvlink_rack, custom, found \"torus\"");
  CHECK(error_of(replaced(text, "\"gpu\"}", "\"tpu\"}")) ==
        "t.json: /nodes/0/kind: expected one of gpu, nvswitch, nic, network_switch, cpu, "
        "pcie_switch, found \"tpu\"");
  CHECK(error_of(replaced(text, "\"rdma\"", "\"tcp\"")) ==
        "t.json: /links/0/kind: expected one of nvlink, pcie, rdma, c2c, found \"tcp\"");
  CHECK(error_of(replaced(text, "epsim.topology/1", "epsim.topology/2")) ==
        "t.json: /schema: expected one of epsim.topology/1, found \"epsim.topology/2\"");
}

TEST_CASE("TopologySpec: a GPU of no machine is refused") {
  const std::string text = custom_text(kTwoGpus, kTwoCables);
  CHECK(error_of(replaced(text, "\"sms\": 132", "\"sms\": 0")) ==
        "t.json: /sms: expected a whole number from 1 to 1024, found 0");
  CHECK(error_of(replaced(text, "141 GB", "0 GB")) ==
        "t.json: /hbm_capacity: expected a size of at least 1 B, found \"0 GB\"");
  CHECK(error_of(replaced(text, "4.8 TB/s", "0 TB/s")) ==
        "t.json: /hbm_bandwidth: expected a bandwidth from 1 kB/s to 1 PB/s, found \"0 TB/s\"");
}

TEST_CASE("TopologySpec: every fact is required") {
  const std::string text = custom_text(kTwoGpus, kTwoCables);
  CHECK(error_of(replaced(text, R"("sms": 132, )", "")) == "t.json: missing key \"sms\"");
  CHECK(error_of(replaced(text, R"("schema": "epsim.topology/1", )", "")) ==
        "t.json: missing key \"schema\"");
  CHECK(error_of("[]") == "t.json: expected an object, found an array of 0");
}
