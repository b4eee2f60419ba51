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

LoadedTopology without(const std::string& links) {
  return load_topology("hgx-h800-cx7",
                       overrides(R"({"hosts": 4, "gpus_per_host": 2, "leaf_ports": 2, "spines": 3,
                                     "failed_links": )" +
                                 links + "}"));
}

}  // namespace

TEST_CASE("failed links: a cable is gone both ways, and switches choose among the others") {
  const LoadedTopology loaded = without(R"(["leaf0->spine1"])");
  const Topology& fabric = loaded.topology;
  CHECK(fabric.links().size() == 2 * (8 * 4 + 4 * 3) - 2);
  CHECK(ways_on(fabric, "leaf0", 3) == Names{"leaf0->spine0", "leaf0->spine2"});
  // Back to leaf0 no leaf may take spine1 either.
  CHECK(ways_on(fabric, "leaf1", 0) == Names{"leaf1->spine0", "leaf1->spine2"});
  CHECK(ways_on(fabric, "leaf1", 7).size() == 3);
  // 3 x 33.3 GB/s less one for leaf0, all for leaf1.
  CHECK(fabric.bisection_bandwidth().bytes_per_second == doctest::Approx(500e9 / 3));
}

TEST_CASE("failed links: they are written down like any override") {
  CHECK(without(R"(["spine0->leaf3", "leaf0->spine1"])").overridden ==
        std::vector<std::string>{"hosts: 16 -> 4",
                                 "gpus_per_host: 8 -> 2",
                                 "leaf_ports: 32 -> 2",
                                 "spines: 8 -> 3",
                                 R"(failed_links: none -> ["spine0->leaf3","leaf0->spine1"])"});
  CHECK(without("[]").topology.links().size() == 2 * (8 * 4 + 4 * 3));
}

TEST_CASE("failed links: a host without NVLink to a GPU reaches it over the network") {
  const Topology fabric = without(R"(["host0.gpu0->host0.nvswitch0"])").topology;
  CHECK(fabric.route(GpuId{0}, GpuId{1}).size() == 8);
  CHECK(fabric.nvlink_domain_count() == 5);
}

TEST_CASE("failed links: a name that is not there is answered with the nearest or with the form") {
  CHECK_THROWS_WITH_AS(without(R"(["leaf0->spine3"])"),
                       "scenario.json: /failed_links/0: there is no link \"leaf0->spine3\"; did "
                       "you mean \"leaf0->spine0\"?",
                       InputError);
  CHECK_THROWS_WITH_AS(without(R"(["leaf0->spine1", "leaf0"])"),
                       "scenario.json: /failed_links/1: expected a link by the names of its ends, "
                       "such as \"spine2->leaf3\", found \"leaf0\"",
                       InputError);
  CHECK_THROWS_AS(without(R"("leaf0->spine1")"), InputError);
}

TEST_CASE("failed links: a failure that cuts a GPU off is refused at the failure") {
  CHECK_THROWS_WITH_AS(without(R"(["host3.nic0->leaf2"])"),
                       "scenario.json: /failed_links: /links: no route from host0.gpu0 to "
                       "host3.gpu0; GPUs do not forward traffic",
                       InputError);
}

TEST_CASE("failed links: every kind of topology takes them") {
  CHECK_THROWS_AS(fabric("hgx-h200", R"({"failed_links": ["gpu0->nvswitch0"]})"), InputError);
  CHECK(fabric("h800-multi-plane", R"({"failed_links": ["host0.cpu0->host0.nic1"]})")
            .links()
            .size() == 1280 - 1);
}
