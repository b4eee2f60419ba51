#include "sim/disentangle.hpp"

#include <cstddef>
#include <cstdint>

#include <doctest/doctest.h>

#include "models/traced_schedule.hpp"
#include "sim/step_run.hpp"
#include "tests/support/hand_made_units.hpp"
#include "tests/support/round_step_constants.hpp"

using namespace epsim;

TEST_CASE("disentangle: times alone come back from a play in which kernels slowed each other") {
  const ConstantSet constants = round_step_constants();
  HandMadeStep made;
  for (int unit = 0; unit < 4; ++unit) {
    made.add("fmha", KernelClass::compute, "attention", 0, 100).cta_count = 32;
    made.exchange(0, 30);
    made.add("experts", KernelClass::compute, "other", 0, 100).cta_count = 32;
    made.exchange(0, 40);
  }
  const GpuStep alone = step_alone({made.step()}, constants);
  const StepUnits queued = find_units(alone, 2, "dump.json");
  GpuStep recorded = two_batch_schedule(alone, queued);
  const GpuStep before = recorded;
  const StepRun run = run_step(recorded, constants);
  REQUIRE(run.overlap_pct() > 50);
  bool is_slower = false;
  for (std::size_t i = 0; i < recorded.tasks.size(); ++i) {
    const Duration took = run.end[i] - run.start[i];
    is_slower = is_slower || to_us(took) > 1.2 * to_us(recorded.tasks[i].time);
    recorded.tasks[i].time = took;
    recorded.tasks[i].place = static_cast<std::uint32_t>(i);
  }
  REQUIRE(is_slower);
  const GpuStep found = disentangled(recorded, find_units(recorded, 2, "dump.json"), constants);
  REQUIRE(found.tasks.size() == before.tasks.size());
  for (std::size_t i = 0; i < found.tasks.size(); ++i) {
    CAPTURE(i);
    CHECK(to_us(found.tasks[i].time) == doctest::Approx(to_us(before.tasks[i].time)).epsilon(0.05));
  }
}
