#include "models/clock_law.hpp"

#include <cmath>

#include <doctest/doctest.h>

#include "models/step_constants.hpp"
#include "sim/base/rng.hpp"
#include "tests/support/hand_made_step.hpp"
#include "tests/support/round_step_constants.hpp"
#include "tests/support/seeds.hpp"

using namespace epsim;

TEST_CASE("clock law: a step's use of power is shares of its time by kind") {
  HandMadeStep made;
  made.gemm(0, 40, 8);
  made.add("fmha", KernelClass::compute, "attention", 0, 10);
  made.elementwise(0, 20);
  made.exchange(0, 60);
  made.copy(0, 30);  // draws next to nothing
  const PowerUse use = power_use(made.step(), from_us(100));
  CHECK(use.tensor == doctest::Approx(0.5));
  CHECK(use.memory == doctest::Approx(0.2));
  CHECK(use.communication == doctest::Approx(0.6));
}

TEST_CASE("clock law: the clock stays at the top until the powers reach the limit") {
  const ConstantSet constants = round_step_constants();
  // 0.2 + 0.8 = 1.
  CHECK(clock_under_load({.tensor = 0.8}, 1, constants) == 1);
  CHECK(clock_under_load({.memory = 1, .communication = 1}, 1, constants) == 1);
  CHECK(clock_under_load({}, 1, constants) == 1);
}

TEST_CASE("clock law: beyond the limit the clock is where the powers meet it") {
  const ConstantSet constants = round_step_constants();
  // 0.2 + tensor * own / f * f^2 = 1, so f = 0.8 / (tensor * own).
  CHECK(clock_under_load({.tensor = 1}, 1, constants) == doctest::Approx(0.8));
  // What takes the share 1 at 0.9 of the clock would take 0.9 at the top: f = 0.8 / 0.9.
  CHECK(clock_under_load({.tensor = 1}, 0.9, constants) == doctest::Approx(0.8 / 0.9));
  // An exchange all the time leaves 0.6, elementwise kernels for half of it 0.4.
  CHECK(clock_under_load({.tensor = 1, .communication = 1}, 1, constants) == doctest::Approx(0.6));
  CHECK(clock_under_load({.tensor = 1, .memory = 0.5, .communication = 1}, 1, constants) ==
        doctest::Approx(0.4));
}

TEST_CASE("clock law: the recorded clock is where the tasks' own clock is the one they leave") {
  // 0.2 + f^2 = 1: 0.8944.
  CHECK(recorded_clock({.tensor = 1}, round_step_constants()) == doctest::Approx(std::sqrt(0.8)));
  CHECK(recorded_clock({.tensor = 0.8}, round_step_constants()) == doctest::Approx(1));
}

TEST_CASE("clock law: GEMM shares of M24 settle where they were measured") {
  // Clocks over the top clock of an H200 whose GEMMs take that share of the time, rest else.
  const ConstantSet constants = load_step_constants("hgx-h200");
  CHECK(recorded_clock({.tensor = 1.0}, constants) == doctest::Approx(0.855).epsilon(0.02));
  CHECK(recorded_clock({.tensor = 0.8}, constants) == doctest::Approx(0.94).epsilon(0.02));
  CHECK(recorded_clock({.tensor = 0.6}, constants) == 1);
}

TEST_CASE("clock law: more load never means a higher clock, for any seed") {
  const ConstantSet constants = load_step_constants("hgx-h200");
  for (const std::uint64_t seed : property_seeds(100)) {
    CAPTURE(seed);
    Rng rng = Rng(seed).stream("load");
    const PowerUse use{rng.uniform(), rng.uniform(), rng.uniform()};
    PowerUse more = use;
    more.tensor += 0.1;
    more.memory += 0.1 * rng.uniform();
    more.communication += 0.1 * rng.uniform();
    const double own = 0.8 + 0.2 * rng.uniform();
    CHECK(clock_under_load(more, own, constants) <= clock_under_load(use, own, constants));
    const double settled = recorded_clock(use, constants);
    CHECK(clock_under_load(use, settled, constants) == doctest::Approx(settled).epsilon(1e-6));
    CHECK(settled <= 1);
    CHECK(settled > 0.3);
  }
}

TEST_CASE("clock law: tensor cores are what GEMMs and attention draw power for") {
  HandMadeStep made;
  CHECK(uses_tensor_cores(made.gemm(0, 1, 1)));
  CHECK(uses_tensor_cores(made.add("a", KernelClass::compute, "attention", 0, 1)));
  CHECK_FALSE(uses_tensor_cores(made.elementwise(0, 1)));
  CHECK_FALSE(uses_tensor_cores(made.exchange(0, 1)));
}
