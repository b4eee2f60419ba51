#include "models/two_batch.hpp"

#include <chrono>
#include <vector>

#include <doctest/doctest.h>

#include "models/gemm_law.hpp"
#include "models/measured_curve.hpp"
#include "models/plan_builder.hpp"
#include "sim/execute.hpp"
#include "topologies/registry.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

Topology h200() {
  return load_topology("hgx-h200").topology;
}

RankRates quiet_rates() {
  RankRates rates{};
  rates.memory = Bandwidth{1e12};  // one byte a picosecond
  rates.serve_traffic = 1.0;
  rates.put_chunk = Bytes{1 << 20};
  rates.put_window = 2;
  rates.link_efficiency = 1.0;
  return rates;
}

void add_ctas(PlanBuilder& builder, std::uint32_t count, Duration time) {
  for (std::uint32_t c = 0; c < count; ++c) {
    builder.begin_cta();
    builder.begin_agent(Role::gemm_tile);
    builder.work(Phase::reduce, time);
  }
}

// Round numbers: 0.5 of the peak, nothing exposed, half of the CTAs find room.
ConstantSet round_two_batch() {
  ConstantSet constants;
  for (const ConstantSpec& spec : two_batch_constants()) {
    double value = 0.5;
    if (spec.name == "memory_rate") value = 4000;
    if (spec.name == "sm_copy") value = 50;
    if (spec.name.starts_with("link_rate")) value = 400;
    if (spec.name == "gemm_memory_exposed" || spec.name == "gemm_memory_share") value = 0;
    if (spec.unit == "us") value = 1;
    constants.put({.name = std::string(spec.name),
                   .unit = std::string(spec.unit),
                   .value = value,
                   .low = value,
                   .high = value,
                   .source = "round"});
  }
  return constants;
}

}  // namespace

TEST_CASE("execute: a kernel waits for its stream and for an event, whichever comes last") {
  PlanBuilder builder("events", 1, 8, quiet_rates());
  const KernelId slow = builder.begin_kernel({.rank = RankId{0}, .name = "slow"});
  add_ctas(builder, 1, 500ns);
  const KernelId fast = builder.begin_kernel({.rank = RankId{0}, .name = "fast"});
  add_ctas(builder, 1, 100ns);
  builder.begin_kernel({.rank = RankId{0}, .name = "both", .after = fast.value, .delay = 10ns});
  builder.wait_for_kernel(slow, 20ns);
  add_ctas(builder, 1, 30ns);
  const Plan plan = builder.take();
  const Timeline timeline = execute(plan, h200());
  // 500 + 20 is later than 100 + 10.
  CHECK(timeline.kernel_start[2] == Instant{} + 520ns);
  CHECK(timeline.kernel_end[2] == Instant{} + 550ns);
}

TEST_CASE("execute: a persistent kernel works its tiles off on the slots it has") {
  PlanBuilder builder("waves", 1, 8, quiet_rates());
  builder.begin_kernel(
      {.rank = RankId{0}, .name = "tiles", .persistent_ctas = 4, .crowded_ctas = 2});
  add_ctas(builder, 10, 100ns);
  // Ten tiles on four slots, although eight SMs are free: three waves.
  CHECK(execute(builder.take(), h200()).kernel_end[0] == Instant{} + 300ns);
}

TEST_CASE("execute: of a persistent kernel beside another, only some CTAs find room at first") {
  PlanBuilder builder("crowd", 1, 8, quiet_rates());
  builder.begin_kernel({.rank = RankId{0}, .name = "exchange"});
  add_ctas(builder, 2, 250ns);
  builder.begin_kernel(
      {.rank = RankId{0}, .name = "tiles", .delay = 10ns, .persistent_ctas = 6, .crowded_ctas = 3});
  add_ctas(builder, 12, 100ns);
  const Timeline timeline = execute(builder.take(), h200());
  // Three slots begin 3 tiles each at 10, 110 and 210; three more come at 250, when the exchange
  // has ended, and take the last 3 of the 12 until 350.
  CHECK(timeline.kernel_start[1] == Instant{} + 10ns);
  CHECK(timeline.kernel_end[1] == Instant{} + 350ns);
}

TEST_CASE("execute: a kernel that came first keeps its slots, and the other waits for SMs") {
  PlanBuilder builder("first", 1, 4, quiet_rates());
  builder.begin_kernel(
      {.rank = RankId{0}, .name = "tiles", .persistent_ctas = 4, .crowded_ctas = 1});
  add_ctas(builder, 8, 100ns);
  builder.begin_kernel({.rank = RankId{0}, .name = "exchange", .delay = 10ns});
  add_ctas(builder, 2, 50ns);
  const Timeline timeline = execute(builder.take(), h200());
  CHECK(timeline.kernel_end[0] == Instant{} + 200ns);
  // A profiler sees it begin when its first CTA does.
  CHECK(timeline.kernel_start[1] == Instant{} + 200ns);
  CHECK(timeline.kernel_end[1] == Instant{} + 250ns);
}

TEST_CASE("execute: two kernels on their own SMs share the memory") {
  PlanBuilder builder("memory", 1, 4, quiet_rates());
  for (int k = 0; k < 2; ++k) {
    builder.begin_kernel({.rank = RankId{0}, .name = "reader"});
    builder.begin_cta();
    builder.begin_agent(Role::gemm_tile);
    builder.serve(Phase::reduce, Bytes{100'000}, {});
  }
  const Timeline timeline = execute(builder.take(), h200());
  // 200 KB at a byte a picosecond: 200 ns, where each alone would take 100.
  CHECK(timeline.kernel_end[0] == Instant{} + 200ns);
  CHECK(timeline.kernel_end[1] == Instant{} + 200ns);
}

TEST_CASE("measured_curve: straight lines between places, flat beyond them") {
  ConstantSet constants;
  for (const auto& [name, value] : {std::pair{"rate_10", 1.0}, {"rate_30", 3.0}})
    constants.put({.name = name, .unit = "1", .value = value, .source = {}});
  CHECK(measured_curve(constants, "rate", {10, 30}, 5) == 1.0);
  CHECK(measured_curve(constants, "rate", {10, 30}, 20) == 2.0);
  CHECK(measured_curve(constants, "rate", {10, 30}, 40) == 3.0);
}

TEST_CASE("gemm_law: half the SMs take twice the time of arithmetic") {
  const ConstantSet constants = round_two_batch();
  const GemmWork gemm{4096, 4096, 4096};
  const double all = gemm_time_us(gemm, 128, 0, constants) - 1.0;
  CHECK(all == doctest::Approx(2.0 * 4096.0 * 4096 * 4096 / (128 * kSmOperationsPerUs * 0.5)));
  CHECK(gemm_time_us(gemm, 128, 64, constants) - 1.0 == doctest::Approx(2 * all));
}

TEST_CASE("gemm_law: tiles fit an SM target, and keep their size without one") {
  const ConstantSet constants = round_two_batch();
  // 32 x 16 tiles of 128 x 256: five waves on 112 SMs, four on 132.
  const GemmShape told = gemm_shape({4096, 4096, 7168}, 132, 20, 20, constants);
  CHECK(told.slots == 112);
  CHECK(told.tiles == 560);
  CHECK(told.crowded_slots == 56);
  const GemmShape untold = gemm_shape({4096, 4096, 7168}, 132, 0, 20, constants);
  CHECK(untold.slots == 132);
  CHECK(untold.tiles == 512);
}

TEST_CASE("two_batch: alone, a GEMM takes its law's time and an exchange its SMs' and links'") {
  const ConstantSet constants = round_two_batch();
  const GemmWork gemm{4096, 4096, 7168};
  const Bytes size{8 * 131'072 * 10};  // ten pieces of each of eight CTAs
  TwoBatchStep step{.rank_count = 2, .communication_ctas = 8, .reserved_sms = 20, .kernels = {}};
  step.kernels.push_back(
      {.on_communication_stream = false, .gemm = gemm, .exchange_size = {}, .after = {}});
  step.kernels.push_back(
      {.on_communication_stream = true, .gemm = {}, .exchange_size = size, .after = {0}});
  const Topology topology = h200();
  const Timeline timeline = execute(plan_two_batch(step, constants, topology), topology);
  const double gemm_us = to_us(timeline.kernel_end[0] - timeline.kernel_start[0]);
  CHECK(gemm_us == doctest::Approx(gemm_time_us(gemm, 132, 20, constants)).epsilon(0.001));
  // The event's microsecond, then the fixed one, two slices of 1.31 MB at 50 GB/s an SM, and less
  // than two microseconds until flags have crossed.
  CHECK(timeline.kernel_start[2] == timeline.kernel_end[0] + 1us);
  const double slices_us = 2 * 10 * 131'072 / 50e3;
  const double exchange_us = to_us(timeline.kernel_end[2] - timeline.kernel_start[2]);
  CHECK(exchange_us > 1 + slices_us);
  CHECK(exchange_us < 1 + slices_us + 3);
}
