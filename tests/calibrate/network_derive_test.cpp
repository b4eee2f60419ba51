#include "calibrate/network_derive.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include <doctest/doctest.h>

#include "models/network_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

void put(ConstantSet& set, std::string_view name, std::string_view unit, double value) {
  set.put({std::string(name), std::string(unit), value, value, value, "test"});
}

// post_write 0.3 us, doorbell 0.2, the rest of a message 0.1 and 0.05; all others in their middle.
Calibration base() {
  Calibration calibration{.system = "base", .topology = "pair", .hardware = {}, .families = {}};
  for (const auto specs : {hardware_constants(), network_constants()})
    for (const ConstantSpec& spec : specs)
      put(calibration.hardware, spec.name, spec.unit, (spec.low + spec.high) / 2);
  put(calibration.hardware, "post_write", "us", 0.3);
  put(calibration.hardware, "doorbell", "us", 0.2);
  put(calibration.hardware, "queue_message", "us", 0.1);
  put(calibration.hardware, "nic_message", "us", 0.05);
  put(calibration.hardware, "wire_efficiency", "1", 0.9);
  put(calibration.hardware, "pcie_efficiency", "1", 0.8);
  put(calibration.hardware, "link_efficiency", "1", 0.8);
  return calibration;
}

// 400 Gbit/s behind PCIe that carries 64 GB/s, NVLink of 450 GB/s among eight.
FabricFacts facts() {
  return {.topology = "pair",
          .has_network = true,
          .path = "gpu0->nic0->leaf0->nic8->gpu8",
          .path_latency = 800ns,
          .wire = Bandwidth{50e9},
          .host_links = Bandwidth{64e9},
          .nvlink = Bandwidth{450e9},
          .domain = 8};
}

struct Run {
  std::string operation;
  std::int64_t size;
  double value;
  TransferUnit unit;
  std::uint32_t queue_pairs = 1;
  std::uint32_t writes_per_doorbell = 1;
  std::optional<Spread> interval{};
};

Transfer rdma(const Run& run) {
  Transfer transfer;
  transfer.tool = "perftest";
  transfer.operation = run.operation;
  transfer.variant = "host";
  transfer.size = Bytes{run.size};
  transfer.queue_pairs = run.queue_pairs;
  transfer.writes_per_doorbell = run.writes_per_doorbell;
  transfer.value = run.value;
  transfer.unit = run.unit;
  transfer.interval = run.interval;
  transfer.file = "log.txt";
  transfer.place = "line 7";
  return transfer;
}

Transfer peer(std::string operation, std::string variant, double value) {
  Transfer transfer;
  transfer.tool = "nvbandwidth";
  transfer.operation = std::move(operation);
  transfer.variant = std::move(variant);
  transfer.pair = {0U, 1U};
  transfer.value = value;
  transfer.unit = TransferUnit::gb_per_s;
  transfer.file = "nv.json";
  transfer.place = "/nvbandwidth/testcases/0/bandwidth_matrix/0/1";
  return transfer;
}

Transfer collective(std::string operation, std::int64_t size, std::uint32_t ranks, double value) {
  Transfer transfer;
  transfer.tool = "nccl-tests";
  transfer.operation = std::move(operation);
  transfer.variant = "out_of_place";
  transfer.size = Bytes{size};
  transfer.ranks = ranks;
  transfer.value = value;
  return transfer;
}

Transfer latency(double value) {
  return rdma({.operation = "rdma_write_latency",
               .size = 8,
               .value = value,
               .unit = TransferUnit::us,
               .interval = Spread{value - 0.1, value + 0.2}});
}

Transfer bandwidth(std::int64_t size, double value) {
  return rdma({.operation = "rdma_write_bandwidth",
               .size = size,
               .value = value,
               .unit = TransferUnit::gb_per_s});
}

Transfer rate(std::uint32_t queue_pairs, double value, std::uint32_t writes_per_doorbell = 1) {
  return rdma({.operation = "message_rate",
               .size = 8,
               .value = value,
               .unit = TransferUnit::million_per_s,
               .queue_pairs = queue_pairs,
               .writes_per_doorbell = writes_per_doorbell});
}

NetworkDerivation derive(std::vector<Transfer> records, const FabricFacts& where = facts()) {
  return derive_network(
      base(),
      {.system = "mine", .files = {"log.txt"}, .notes = {}, .records = std::move(records)},
      where);
}

const Constant& constant(const NetworkDerivation& result, std::string_view name) {
  return result.calibration.hardware.at(name);
}

bool is_kept(const NetworkDerivation& result, std::string_view name, std::string_view why) {
  return std::any_of(result.kept.begin(), result.kept.end(), [&](const std::string& line) {
    return line.starts_with(name) && line.find(why) != std::string::npos;
  });
}

std::string error_of(std::vector<Transfer> records, const FabricFacts& where = facts()) {
  try {
    (void)derive(std::move(records), where);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("network: the payload share of the wire is what large writes reach") {
  const auto result = derive({bandwidth(65536, 46),
                              bandwidth(1 << 20, 48),
                              bandwidth(2 << 20, 49),
                              bandwidth(4 << 20, 48.5)});
  const Constant& wire = constant(result, "wire_efficiency");
  CHECK(wire.value == doctest::Approx(0.97));  // 48.5 of 50 GB/s: median of the three from 1 MiB on
  CHECK(wire.low == doctest::Approx(0.96));
  CHECK(wire.high == doctest::Approx(0.98));
  CHECK(wire.source.find("log.txt line 7 and 2 more") != std::string::npos);
  REQUIRE(result.derived.size() == 1);
  CHECK(result.derived[0].before == 0.9);
  CHECK(constant(result, "post_write").value == 0.3);
  // Without those, 64 KiB must do.
  CHECK(constant(derive({bandwidth(65536, 46), bandwidth(512, 3)}), "wire_efficiency").value ==
        doctest::Approx(0.92));
}

TEST_CASE("network: messages of one queue pair give its time, those of many the NIC's") {
  const auto result = derive({rate(1, 2.5, 16), rate(2, 4, 16), rate(8, 16, 16)});
  // 1 / 16 us; 1 / 2.5 us less a doorbell of 0.2 us for 16 messages.
  CHECK(constant(result, "nic_message").value == doctest::Approx(0.0625));
  CHECK(constant(result, "queue_message").value == doctest::Approx(0.3875));
  CHECK(is_kept(derive({rate(1, 2.5, 16)}), "nic_message", "several queue pairs"));
  CHECK(is_kept(derive({rate(8, 16, 16)}), "queue_message", "one queue pair"));
  // 0.125 us a message do not hold a doorbell of 0.2 us.
  CHECK(is_kept(derive({rate(1, 8)}), "queue_message", "less than the base's doorbell"));
}

TEST_CASE("network: a rate of a host that rings for every message is a bound alone") {
  // At most 0.2 us and 1 / 2.5 - 0.2 us: the base's 0.05 us and 0.1 us are possible.
  CHECK(is_kept(derive({rate(8, 5)}), "nic_message", "within the 0.2 us"));
  CHECK(is_kept(derive({rate(1, 2.5)}), "queue_message", "within the 0.2 us"));
  // At most 0.025 us, and at most 1 / 4 - 0.2 us.
  CHECK(constant(derive({rate(8, 40)}), "nic_message").value == doctest::Approx(0.025));
  CHECK(constant(derive({rate(1, 4)}), "queue_message").value == doctest::Approx(0.05));
  // A run of other queue pairs that rings seldom changes nothing.
  CHECK(is_kept(derive({rate(8, 5), rate(1, 7, 32)}), "nic_message", "within the 0.2 us"));
  // A run that rings seldom goes before.
  CHECK(constant(derive({rate(8, 5), rate(8, 10, 32)}), "nic_message").value ==
        doctest::Approx(0.1));
}

TEST_CASE("network: a small write less its links and steps is what it takes besides") {
  const auto result = derive({latency(1.9), latency(2.0), latency(2.1)});
  const Constant& write = constant(result, "write_latency");
  // 2.0 - 0.8 - (0.3 + 0.2 + 0.1 + 0.05) = 0.55; from 1.8 and to 2.3 in the same way.
  CHECK(write.value == doctest::Approx(0.55));
  CHECK(write.low == doctest::Approx(0.35));
  CHECK(write.high == doctest::Approx(0.85));
  CHECK(write.source.find("gpu0->nic0->leaf0->nic8->gpu8") != std::string::npos);
  // What was read for queue pair and NIC is what is taken away: 2.0 - 0.8 - 0.3 - 0.2 - 0.3875 -
  // 0.0625 = 0.25.
  CHECK(
      constant(derive({latency(2.0), rate(1, 2.5, 16), rate(8, 16, 16)}), "write_latency").value ==
      doctest::Approx(0.25));
  CHECK(is_kept(derive({latency(1.4)}), "write_latency", "1.4 us of a small write is less than"));
}

TEST_CASE("network: NVLink's share is what kernels write to a peer, not what copy engines do") {
  const auto result = derive({peer("peer_write", "sm", 360), peer("peer_write", "ce", 390)});
  CHECK(constant(result, "link_efficiency").value == doctest::Approx(0.8));  // 360 of 450 GB/s
  REQUIRE(result.observations.size() == 1);
  CHECK(result.observations[0] == "nvbandwidth: peer_write, ce (1)");
  CHECK(is_kept(derive({peer("peer_read", "sm", 300)}), "link_efficiency", "write_sm"));
}

TEST_CASE("network: a rate above that of its link is refused, with its place") {
  CHECK(error_of({bandwidth(1 << 20, 51)}) ==
        "log.txt: line 7: expected at most the 50 GB/s of the link in pair, found 51 GB/s");
  CHECK(error_of({peer("peer_read", "ce", 460)}).find("450 GB/s of the link") != std::string::npos);
  CHECK(error_of({peer("peer_write_bidirectional", "sm", 700)}) == "no error");
  CHECK(error_of({peer("peer_write_bidirectional", "sm", 901)}).find("900 GB/s") !=
        std::string::npos);
  CHECK(derive({bandwidth(1 << 20, 24)}).checks.at(0).starts_with("wire_efficiency 0.48 is low"));
  // A fiftieth of the wire is no payload share that a calibration may hold.
  CHECK(error_of({bandwidth(1 << 20, 1)}).find("expected wire_efficiency from 0.1 to 1 1") !=
        std::string::npos);
}

TEST_CASE("network: links to the NIC that are slower than the wire hide its share") {
  FabricFacts slow = facts();
  slow.host_links = Bandwidth{32e9};  // 25.6 GB/s of payload
  CHECK(is_kept(derive({bandwidth(1 << 20, 25)}, slow), "wire_efficiency", "from GPU to NIC"));
}

TEST_CASE("network: RDMA needs a topology and a base with a network") {
  FabricFacts nvlink_only = facts();
  nvlink_only.has_network = false;
  CHECK(error_of({latency(2)}, nvlink_only).find("expected a topology with NICs") !=
        std::string::npos);
  CHECK(error_of({peer("peer_write", "sm", 360)}, nvlink_only) == "no error");
  Calibration plain = base();
  plain.hardware = {};
  put(plain.hardware, "link_efficiency", "1", 0.8);
  CHECK_THROWS_AS(
      (void)derive_network(
          plain, {.system = "", .files = {}, .notes = {}, .records = {latency(2)}}, facts()),
      InputError);
}

TEST_CASE("network: collectives are compared with their links") {
  // Of 16 GB each rank keeps 1/16 and sends 7/16 by NVLink and 8/16 by RDMA: 8 GB over 50 GB/s of
  // which 0.9 are payload take 177 778 us, longer than 7 GB over 360 GB/s.
  const auto result = derive({collective("alltoall", 1'000'000'000, 16, 20'000),
                              collective("alltoall", 16'000'000'000, 16, 200'000),
                              collective("allreduce", 16'000'000'000, 16, 1'000)});
  REQUIRE(result.checks.size() == 1);
  CHECK(result.checks[0] ==
        "alltoall of 16000000000 B over 16 ranks, out_of_place: 2e+05 us, links need 1.778e+05 us "
        "(0.89 of it)");
  CHECK(derive({collective("sendrecv", 360'000'000, 8, 500)}).checks.at(0) ==
        "sendrecv of 360000000 B over 8 ranks, out_of_place: 500 us, links need 1000 us (2.00 of "
        "it): faster than its links, so one of the two is wrong");
}

TEST_CASE("network: the file that is written is read back with what was derived") {
  const NetworkDerivation result = derive({bandwidth(1 << 20, 48), latency(2.0)});
  const TemporaryFolder folder;
  replace_text_file(folder / "c.json", calibration_text(result.calibration));
  const Calibration again = load_calibration((folder / "c.json").string());
  for (const Constant& written : result.calibration.hardware.all()) {
    CAPTURE(written.name);
    CHECK(again.hardware.at(written.name).value == written.value);
    CHECK(again.hardware.at(written.name).source == written.source);
  }
}
