// What calibrations say about NICs, put to the figures that others published.
#include <doctest/doctest.h>

#include "models/calibration.hpp"
#include "models/network_constants.hpp"
#include "sim/base/json.hpp"
#include "tests/support/hand_made_plan.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

constexpr std::uint32_t kWrites = 64;

// Microseconds until the last of some writes of 7168 B on one queue pair is seen on another host.
double last_seen_us(std::uint32_t writes, bool each_rings) {
  static const Calibration calibration = load_calibration("hgx-hopper-ib400");
  static const JsonDocument hosts = JsonDocument::parse(R"({"hosts": 2})", "test");
  static const LoadedTopology two = load_topology("hgx-hopper-ib400", hosts.root().object());
  HandMadePlan plan(16);
  plan.set_nic(nic_rates(calibration.hardware));
  plan.agent_on(0);
  const QueuePairId queue = plan.add_queue_pairs(RankId{0}, RankId{8}, 1);
  for (std::uint32_t i = 0; i < writes; ++i)
    plan.post(Phase::send,
              queue,
              Bytes{7168},
              {},
              each_rings || i + 1 == writes ? kRings : std::uint16_t{0});
  return to_us(execute(plan.take(), two.topology).end.back() - Instant{});
}

}  // namespace

TEST_CASE(
    "network constants: writes cost what was published with one doorbell each and one for 64") {
  // Published: 3.57 us per 7168-byte write with a doorbell each, 0.74 us with one for 64. What a
  // write needs behind its queue pair is the same for all and does not count.
  const double behind = last_seen_us(1, true) - 3.57;
  CHECK(behind > 0);
  CHECK((last_seen_us(kWrites, true) - behind) / kWrites == doctest::Approx(3.57).epsilon(0.01));
  CHECK((last_seen_us(kWrites, false) - behind) / kWrites == doctest::Approx(0.74).epsilon(0.01));
}

TEST_CASE("network constants: systems of one host have none, and those with NICs have all") {
  CHECK(!has_network(load_calibration("hgx-h200").hardware));
  for (const char* system : {"hgx-h800-cx7", "hgx-hopper-ib400"})
    CHECK(has_network(load_calibration(system).hardware));
}
