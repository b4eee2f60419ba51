#include "topologies/folded_topology.hpp"

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

FoldedTopology folded(std::string_view preset, const std::string& text) {
  return load_folded_topology(preset, overrides(text));
}

// Over all pairs of GPUs of different hosts.
double mean_latency_ns(const Topology& whole) {
  double total = 0;
  double pairs = 0;
  for (std::uint32_t a = 0; a < whole.gpu_count(); ++a) {
    for (std::uint32_t b = 0; b < whole.gpu_count(); ++b) {
      if (whole.nvlink_domain(GpuId{a}) == whole.nvlink_domain(GpuId{b})) continue;
      total += to_ns(network_latency(whole, a, b));
      pairs += 1;
    }
  }
  return total / pairs;
}

void check_mean(std::string_view preset, const std::string& text) {
  CAPTURE(preset);
  CAPTURE(text);
  const Topology whole = fabric(preset, text);
  const FoldedTopology host = folded(preset, text);
  CHECK(host.hosts == whole.nvlink_domain_count());
  CHECK(host.hosts * host.gpus_per_host == whole.gpu_count());
  CHECK(host.loaded.topology.gpu_count() == host.gpus_per_host);
  CHECK(host.loaded.topology.nvlink_domain_count() == 1);
  CHECK(to_ns(network_latency(host.loaded.topology, 0, 1)) ==
        doctest::Approx(mean_latency_ns(whole)).epsilon(1e-6));
}

Bandwidth nic_rate(const FoldedTopology& host) {
  const Topology& topology = host.loaded.topology;
  return topology.link(topology.network_links(node_named(topology, "nic0"), GpuId{1})[0]).bandwidth;
}

}  // namespace

TEST_CASE("folded topology: one host of eight, with its NICs at one switch") {
  const Topology host = folded("hgx-h800-cx7", R"({"hosts": 64})").loaded.topology;
  CHECK(host.nodes().size() == 8 * 3 + 1 + 1);
  CHECK(host.links().size() == 2 * 8 * 4);
  CHECK(ways_on(host, "nic3", 5) == Names{"nic3->core0"});
  CHECK(ways_on(host, "core0", 5) == Names{"core0->nic5"});
  CHECK(route(host, 3, 5) == Names{"gpu3->nvswitch0", "nvswitch0->gpu5"});
}

TEST_CASE("folded topology: its latency is the mean between hosts, by hand") {
  // 64 hosts, 32 a leaf: 31 of 63 other hosts share the leaf, for one of eight rails. One switch
  // there, else three; 460 ns of PCIe and 200 ns of cables.
  const double same_leaf = 31.0 / 63 / 8;
  CHECK(to_ns(network_latency(folded("hgx-h800-cx7", R"({"hosts": 64})").loaded.topology, 0, 1)) ==
        doctest::Approx(660 + 450 * same_leaf + 1350 * (1 - same_leaf)));
}

TEST_CASE("folded topology: its latency is the mean over a whole fabric") {
  check_mean("hgx-h800-cx7", R"({"hosts": 4})");
  check_mean("hgx-h800-cx7", R"({"hosts": 6, "gpus_per_host": 2, "leaf_ports": 2})");
  check_mean("hgx-b300-cx8", R"({"hosts": 6, "gpus_per_host": 4, "leaf_ports": 3})");
  check_mean("h100-fat-tree", R"({"hosts": 16})");
  check_mean("h100-fat-tree", R"({"hosts": 16, "tiers": 2})");
  check_mean("gb200-nvl72", R"({"racks": 4, "gpus": 8})");
  check_mean("gb200-nvl72", R"({"racks": 4, "gpus": 8, "leaf_ports": 4})");
  check_mean("gb200-nvl72", R"({"racks": 2, "gpus": 8, "leaf_ports": 1})");
}

TEST_CASE("folded topology: a NIC sends no faster than its share of narrow tiers") {
  CHECK(nic_rate(folded("hgx-h800-cx7", R"({"hosts": 64})")) == Bandwidth{50e9});
  // Four hosts of two, two a leaf, 4 to 1: of the three other hosts one shares the leaf, for one of
  // two rails. 5/6 of the traffic goes up, where a NIC has 12.5 GB/s.
  CHECK(nic_rate(folded("hgx-h800-cx7",
                        R"({"hosts": 4, "gpus_per_host": 2, "leaf_ports": 2,
                            "oversubscription": 4})"))
            .bytes_per_second == doctest::Approx(12.5e9 * 6 / 5));
}

TEST_CASE("folded topology: of a leaf that is not full, NICs share all ways up") {
  const std::string hosts = R"({"hosts": 4, "gpus_per_host": 2, "oversubscription": 4, )";
  // Half of the traffic goes to the other rail. A full leaf of four NICs has 50 GB/s up, 12.5 GB/s
  // a NIC; one of eight ports has 100 GB/s for its four NICs.
  CHECK(nic_rate(folded("hgx-h800-cx7", hosts + R"("leaf_ports": 4})")).bytes_per_second ==
        doctest::Approx(25e9));
  CHECK(nic_rate(folded("hgx-h800-cx7", hosts + R"("leaf_ports": 8})")).bytes_per_second ==
        doctest::Approx(50e9));
}

TEST_CASE("folded topology: hosts may be more than a topology holds") {
  const FoldedTopology many = folded("hgx-hopper-ib400", R"({"hosts": 65536})");
  CHECK(many.hosts == 65536);
  CHECK(many.gpus_per_host == 8);
  CHECK(many.loaded.overridden == std::vector<std::string>{"hosts: 16 -> 65536"});
}

TEST_CASE("folded topology: what makes hosts unlike is refused") {
  const auto error_of = [](std::string_view preset, const std::string& text) -> std::string {
    try {
      (void)folded(preset, text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  CHECK(error_of("hgx-h800-cx7", R"({"hosts": 40})") ==
        "scenario.json: /hosts: one host cannot stand for 40: the last switch has 8 of them, "
        "others 32");
  CHECK(error_of("hgx-h800-cx7", R"({"failed_links": ["leaf0->spine1"]})") ==
        "scenario.json: /failed_links: with failed links hosts are not alike, so that none can "
        "stand for all");
  CHECK(error_of("hgx-h800-cx7", R"({"routing": "ecmp"})")
            .starts_with("scenario.json: /routing: one host cannot stand for all: which flows"));
  CHECK(error_of("gb200-nvl72", "{}") ==
        "topologies/presets/gb200-nvl72.json: /racks: one rack has no network: it stands for "
        "itself");
  CHECK(error_of("gb200-nvl72", R"({"racks": 4, "leaf_ports": 27})")
            .starts_with("scenario.json: /leaf_ports: one rack cannot stand for 4"));
  for (const char* preset : {"hgx-h200", "h800-multi-plane", "h100-dragonfly-plus"}) {
    CAPTURE(preset);
    CHECK(error_of(preset, "{}").find("can stand for all: ") != std::string::npos);
  }
  CHECK(error_of("hgx-h800-cx7", R"({"hozts": 40})").find("unknown key") != std::string::npos);
}
