// The published fence table of GB200: two of its ten rows are fitted, the others predicted.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numbers>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "calibrate/fence_deltas.hpp"
#include "calibrate/observation.hpp"
#include "calibrate/validate.hpp"
#include "cli/observation_workload.hpp"
#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "sim/base/json.hpp"
#include "sim/prediction.hpp"
#include "topologies/registry.hpp"

using namespace epsim;

namespace {

const std::filesystem::path kRoot = EPSIM_SOURCE_DIR;
const std::filesystem::path kObservations =
    kRoot / "calibrate/observations/deepep_pr632_gb200.json";
constexpr const char* kFamily = "deepep-ll-1.2.1";

std::vector<FenceDelta> predicted_pairs() {
  const ObservationSet set = read_observations(kObservations);
  const Calibration calibration = load_calibration("gb200-nvl72");
  const auto topology =
      std::make_shared<const Topology>(load_topology(calibration.topology).topology);
  const FamilyKind& kind = *find_family(kFamily);
  std::vector<ValidationRecord> records;
  for (const Observation& observation : set.records) {
    const Workload workload = workload_of(observation, set, kind, topology);
    ValidationRecord record;
    record.id = observation.id;
    record.measured_us = observation.latency_us;
    record.predicted_us = to_us(predict(observation.op,
                                        workload,
                                        kind,
                                        calibration.hardware,
                                        calibration.family(kFamily).constants)
                                    .latency);
    records.push_back(std::move(record));
  }
  return fence_deltas(set.records, records);
}

// Philox4x32-10 (Salmon et al., 2011), the generator of PyTorch on a GPU: the first word pair of
// the block that thread `thread` of seed `seed` draws.
std::array<std::uint32_t, 2> philox(std::uint64_t seed, std::uint32_t thread) {
  std::array<std::uint32_t, 4> c = {0, 0, thread, 0};
  auto k0 = static_cast<std::uint32_t>(seed);
  auto k1 = static_cast<std::uint32_t>(seed >> 32U);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32U) ^ c[1] ^ k0,
         static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32U) ^ c[3] ^ k1,
         static_cast<std::uint32_t>(a)};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {c[0], c[1]};
}

// What torch.randn gives for a small tensor on a GPU: Box and Muller, one number a thread.
double normal(std::uint64_t seed, std::uint32_t thread) {
  const auto [x, y] = philox(seed, thread);
  const double u = (x + 0.5) * 0x1p-32;
  const double v = (y + 0.5) * 0x1p-32 * 2 * std::numbers::pi;
  return std::sin(v) * std::sqrt(-2 * std::log(u));
}

}  // namespace

TEST_CASE("fence table: the fit saw two rows, with both of their times, and no other") {
  const std::string prefix = "deepep-ll-1.2.1-combine-4-1024-7168-256-8-bf16-";
  const Calibration calibration = load_calibration("gb200-nvl72");
  std::set<std::string> fitted;
  for (const FitResidual& residual : calibration.family(kFamily).fit.residuals)
    if (residual.fitted) fitted.insert(residual.id);
  CHECK(fitted == std::set<std::string>{prefix + "random-none",
                                        prefix + "random-proxy_async_per_load",
                                        prefix + "local-same-none",
                                        prefix + "local-same-proxy_async_per_load"});
  const ObservationSet set = read_observations(kObservations);
  for (const Observation& observation : set.records)
    CHECK(observation.held_out != fitted.contains(observation.id));
}

TEST_CASE("fence table: fences within 2 us, and all but local-rand within 10 % without them") {
  const std::vector<FenceDelta> pairs = predicted_pairs();
  REQUIRE(pairs.size() == 10);
  for (const FenceDelta& pair : pairs) {
    CAPTURE(pair.id);
    CHECK(std::abs(pair.predicted_us - pair.measured_us) <= 2.0);
    const bool is_anomaly = pair.id.find("-local-rand-") != std::string::npos;
    CHECK((std::abs(pair.plain.error_pct()) <= 10.0) != is_anomaly);
  }
  CHECK(fence_table_text(pairs).find("local-rand") != std::string::npos);
}

TEST_CASE("fence table: without what the local rows taught, they would be those of all others") {
  // The one constant that tells ranks that hear no peer apart is 1 on an H200, where split launches
  // show no difference, and fitted here.
  CHECK(load_calibration("hgx-h200").hardware.ratio("home_drain_share") == 1.0);
  CHECK(load_calibration("gb200-nvl72").hardware.ratio("home_drain_share") < 1.0);
}

TEST_CASE("fence table: random-same is what the benchmark's generator draws from its seeds") {
  // From seed 42 PyTorch's documentation prints 0.1940, 2.1614, -0.1721 for torch.randn on a GPU.
  CHECK(normal(42, 0) == doctest::Approx(0.1940).epsilon(0.001));
  CHECK(normal(42, 1) == doctest::Approx(2.1614).epsilon(0.001));
  CHECK(normal(42, 2) == doctest::Approx(-0.1721).epsilon(0.001));
  const Routing routing =
      read_routing(kRoot / "calibrate/observations/routing/pr632_random_same.json.gz",
                   RoutingShape{.ranks = 4, .experts = 256, .top_k = 8});
  for (std::uint32_t rank = 0; rank < 4; ++rank) {
    std::vector<std::uint32_t> experts(256);
    std::iota(experts.begin(), experts.end(), 0U);
    std::stable_sort(experts.begin(), experts.end(), [&](std::uint32_t a, std::uint32_t b) {
      return std::abs(normal(42 + rank, a)) > std::abs(normal(42 + rank, b));
    });
    const auto chosen = routing.choices(RankId{rank}, 0);
    for (std::size_t k = 0; k < chosen.size(); ++k) CHECK(expert_of(chosen[k]).value == experts[k]);
  }
}
