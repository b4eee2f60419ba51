// What a fabric's shape does to the latency of an exchange, message by message.
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "models/kernel_families.hpp"
#include "sim/prediction.hpp"
#include "tests/support/round_hosts.hpp"
#include "tests/topologies/fabric_samples.hpp"
#include "traces/routing_generators.hpp"

using namespace epsim;

namespace {

// Four hosts of two GPUs: four leaves of two NICs, 50 GB/s each, under two spines.
std::shared_ptr<const Topology> leaves_and_spines(const std::string& changed) {
  return std::make_shared<const Topology>(samples::fabric(
      "hgx-h800-cx7", R"({"hosts": 4, "gpus_per_host": 2, "leaf_ports": 2)" + changed + "}"));
}

// Every rank sends 32 tokens of 16 + 2 * 7168 = 14 352 B to each of eight, seven of them by its
// NIC: 3.215 MB, or 64.3 us at 50 GB/s. The other NIC of its leaf is one of the seven, so that a
// leaf passes up 2 * 6 * 32 * 14 352 B = 5.511 MB: 55.1 us at the 100 GB/s of its NICs.
double exchange_us(const std::string& changed) {
  Workload workload;
  const RoutingSpec spec{.shape = {.ranks = 8, .experts = 8, .top_k = 8}, .tokens_per_rank = 32};
  workload.routing = std::make_shared<const Routing>(make_routing(spec, Rng(1)));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = 8, .experts = 8}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = leaves_and_spines(changed);
  workload.hidden = 7168;
  workload.dispatch_format = DispatchFormat::bf16;
  workload.rank_start.resize(8);
  // NICs and kernels so quick that links decide; behind them stands what receivers copy.
  ConstantSet hardware = round_network_hardware();
  for (const char* step : {"post_write", "doorbell", "queue_message", "nic_message"})
    hardware = hardware.with(step, 0.01);
  ConstantSet family = round_low_latency();
  for (const char* step : {"cast_row", "cast_kilochannel", "receive_row", "receive_sm_row"})
    family = family.with(step, 0.01);
  return to_us(
      predict(
          MoeOperation::dispatch, workload, *find_family("deepep-ll-v1-rdmaonly"), hardware, family)
          .latency);
}

}  // namespace

TEST_CASE("fabric: narrow tiers lengthen an exchange, and no more than they must") {
  const double full = exchange_us(R"(, "spines": 2)");
  const double narrow = exchange_us(R"(, "spines": 2, "oversubscription": 4)");
  CHECK(full > 64.3);
  // 5.511 MB at a quarter of 100 GB/s: 220.4 us.
  CHECK(narrow > 220.4);
  CHECK(narrow < 220.4 + full);
}

TEST_CASE("fabric: a failed link lengthens an exchange, as its leaf has half its ways left") {
  const double whole = exchange_us(R"(, "spines": 2)");
  const double failed = exchange_us(R"(, "spines": 2, "failed_links": ["leaf0->spine1"])");
  // 5.511 MB at 50 GB/s take 110.2 us, which were 64.3 us of its NICs: 45.9 us more, less what
  // goes by while ranks still prepare their rows.
  CHECK(failed - whole > 0.5 * 45.9);
  CHECK(failed - whole < 1.5 * 45.9);
}

TEST_CASE("fabric: flows that a hash sends the same way take longer than those that choose") {
  const double adaptive = exchange_us(R"(, "spines": 4)");
  const double hashed = exchange_us(R"(, "spines": 4, "routing": "ecmp")");
  CAPTURE(adaptive);
  CAPTURE(hashed);
  CHECK(hashed > 1.1 * adaptive);
  // With one spine there is nothing to choose.
  CHECK(exchange_us(R"(, "spines": 1, "routing": "ecmp")") ==
        doctest::Approx(exchange_us(R"(, "spines": 1)")));
}
