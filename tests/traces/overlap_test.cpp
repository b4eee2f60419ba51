#include "traces/overlap.hpp"

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/json.hpp"
#include "tests/support/hand_made_trace.hpp"
#include "traces/range_layers.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

TraceUse use_of(const GpuTrace& trace) {
  static const KernelClassTable table = KernelClassTable::built_in();
  return trace_use(trace, activity_roles(trace, table), range_layers(trace));
}

const FamilyUse& family_of(const DeviceUse& device, std::string_view name) {
  for (const FamilyUse& family : device.families)
    if (family.name == name) return family;
  FAIL("no family " << name);
  return device.families.front();
}

}  // namespace

TEST_CASE("Overlap: the share of communication time that some compute overlaps") {
  // us     0    10    20    30    40    50
  // 7      compute 0-20        compute 30-40
  // 8           notify 10-14, comm 15-35
  // 9                                copy 38-50
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 20, 200);
  hand_made.kernel(kNotifyName, 8, 10, 4, 1);
  hand_made.kernel(kCommunicationName, 8, 15, 20, 32);
  hand_made.kernel(kComputeName, 7, 30, 10, 50);
  hand_made.copy(9, 38, 12);
  const TraceUse use = use_of(hand_made.take());
  REQUIRE(use.devices.size() == 1);
  const DeviceUse& device = use.devices.front();
  CHECK(device.activities == 5);
  CHECK(device.time.span.length() == 50us);
  CHECK(device.time.communication == 24us);  // 10-14 and 15-35
  CHECK(device.time.compute == 30us);        // 0-20 and 30-40
  CHECK(device.time.copy == 12us);
  CHECK(device.time.overlap == 14us);  // 10-14, 15-20 and 30-35
  CHECK(device.time.exposed() == 10us);
  CHECK(device.time.overlap_pct() == doctest::Approx(100.0 * 14 / 24));
  CHECK(device.time.possible_overlap_pct() == doctest::Approx(100.0 * 14 / 24));  // |M| < |P|
  CHECK(device.time.idle == 0us);
  CHECK(device.notify == 4us);
  CHECK(device.exposed == std::vector{Interval{at_us(20), at_us(30)}});
  // A kernel of 200 blocks fills the 100 SMs: 100 x 20 us; then 50 x 10 us.
  CHECK(device.sm_us[0] == doctest::Approx(2500));
  CHECK(device.sm_us[1] == doctest::Approx(1 * 4 + 32 * 20));
  CHECK(device.sm_us[2] == 0);

  REQUIRE(device.streams.size() == 3);
  CHECK(device.streams[0].stream == 7);
  CHECK(device.streams[0].time.compute == 30us);
  CHECK(device.streams[0].time.idle == 10us);
  CHECK(device.streams[1].time.communication == 24us);
  CHECK(device.streams[1].time.overlap == 14us);  // with the compute of stream 7
  CHECK(device.streams[2].time.copy == 12us);

  CHECK(device.families.front().name == "GEMM");  // longest first
  const FamilyUse& exchange = family_of(device, "NCCL");
  CHECK(exchange.count == 1);
  CHECK(exchange.total == 20us);
  CHECK(exchange.exposed == 10us);  // 20-30
  REQUIRE(exchange.phases.size() == 1);
  CHECK(exchange.phases[0].phase == CommunicationPhase::exchange);
  CHECK(family_of(device, "GEMM").exposed == 16us);  // 0-10, 14-15, 35-40: no communication
  CHECK(family_of(device, "copy").exposed == 10us);  // 40-50: nothing else
}

TEST_CASE("Overlap: communication that overlaps itself counts once") {
  HandMadeTrace hand_made;
  hand_made.kernel(kCommunicationName, 7, 0, 10);
  hand_made.kernel(kCommunicationName, 8, 5, 10);
  hand_made.kernel(kComputeName, 9, 12, 8);
  const DeviceUse device = use_of(hand_made.take()).devices.front();
  CHECK(device.time.communication == 15us);
  CHECK(device.time.overlap == 3us);  // 12-15
  CHECK(family_of(device, "NCCL").total == 20us);
  CHECK(family_of(device, "NCCL").time == 15us);
}

TEST_CASE("Overlap: without communication nothing is hidden and nothing exposed") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  const DeviceUse device = use_of(hand_made.take()).devices.front();
  CHECK(device.time.overlap_pct() == 0);
  CHECK(device.time.possible_overlap_pct() == 0);
  CHECK(device.exposed.empty());
  CHECK(use_of(HandMadeTrace().take()).devices.empty());
}

TEST_CASE("Overlap: devices of one dump stand apart") {
  HandMadeTrace hand_made;
  hand_made.kernel(kCommunicationName, 7, 0, 10).device = 3;
  hand_made.kernel(kComputeName, 7, 0, 10).device = 1;
  const TraceUse use = use_of(hand_made.take());
  REQUIRE(use.devices.size() == 2);
  CHECK(use.devices[0].device == 1);
  CHECK(use.devices[0].time.communication == 0us);
  CHECK(use.devices[1].time.communication == 10us);
  CHECK(use.devices[1].time.overlap == 0us);
  CHECK(use.devices[1].sm_us[1] == 0);  // the dump does not tell how many SMs it has
}

TEST_CASE("Overlap: a gap is the host's fault as long as it had not launched what came next") {
  // Stream 7: 0-10, then 20-30, launched by a call from 13 to 17, then 40-50, launched long before.
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.kernel(kComputeName, 7, 20, 10);
  hand_made.kernel(kComputeName, 7, 40, 10);
  hand_made.kernel(kComputeName, 8, 32, 4);
  hand_made.launch(1, -5, 2);
  hand_made.launch(2, 13, 4);
  hand_made.launch(3, 14, 2);
  hand_made.launch(4, 31, 20);  // begins before its call returns
  const DeviceUse device = use_of(hand_made.take()).devices.front();
  const LaunchGaps& stream = device.streams[0].gaps;
  CHECK(stream.count == 2);
  CHECK(stream.total == 20us);
  CHECK(stream.launch_bound == 7us);  // 10 to 17
  CHECK(stream.launch_bound_count == 1);
  // Of the device: 10-20, 30-32 and 36-40; 30-32 is launch bound, its call is not through before.
  CHECK(device.gaps.count == 3);
  CHECK(device.gaps.total == 16us);
  CHECK(device.gaps.launch_bound == 9us);
  CHECK(device.gaps.total == device.time.idle);
}

TEST_CASE("Overlap: layers are known where the host's ranges name them") {
  HandMadeTrace hand_made;
  hand_made.kernel(kComputeName, 7, 0, 10);
  hand_made.kernel(kCommunicationName, 8, 5, 10);
  hand_made.kernel(kComputeName, 7, 12, 8);
  hand_made.kernel(kComputeName, 7, 30, 5);
  hand_made.launch(1, 1, 1);
  hand_made.launch(2, 2, 1);
  hand_made.launch(3, 6, 1);
  hand_made.launch(4, 20, 1);
  hand_made.range("model.layers.0", 0, 5);
  hand_made.range("model.layers.1", 5, 5);
  const DeviceUse device = use_of(hand_made.take()).devices.front();
  REQUIRE(device.layers.size() == 2);  // what was launched at 20 is in none
  CHECK(device.layers[0].layer == 0);
  CHECK(device.layers[0].activities == 2);
  CHECK(device.layers[0].time.communication == 10us);
  // 5-10 behind the layer's own compute and 12-15 behind that of the next.
  CHECK(device.layers[0].time.overlap == 8us);
  CHECK(device.layers[1].time.compute == 8us);
}

TEST_CASE("Overlap: measured dumps have the overlap that is known of them") {
  const std::filesystem::path folder =
      std::filesystem::path(EPSIM_SOURCE_DIR) / "../shared/reference/traces";
  if (!std::filesystem::exists(folder / "truth.json")) {
    MESSAGE("skipped: no reference/traces beside this tree");
    return;
  }
  JsonObject truth = JsonDocument::read(folder / "truth.json").root().object();
  for (const JsonValue& value : truth.required("traces").array()) {
    JsonObject row = value.object();
    const std::string file = row.required("file").string();
    CAPTURE(file);
    const TraceUse use = use_of(read_gpu_trace((folder / file).string()));
    REQUIRE(use.devices.size() == 1);
    const double difference =
        use.devices[0].time.overlap_pct() - row.required("overlap_pct").number();
    CHECK(std::abs(difference) < 0.1);
    const bool is_nccl = file.starts_with("nccl");
    CHECK(family_of(use.devices[0], is_nccl ? "NCCL" : "DeepEP").count >= 24);
  }
}
