// clock_law: how fast SMs may run under a power limit. A GPU that multiplies matrices without a
// pause draws more than it may, and its clock falls until the average meets the limit; what hides
// communication behind GEMMs takes away the pauses, so that every GEMM becomes a little slower.
// Memory and links keep their own clocks.
//
//   P(f) = idle + exchange + memory + tensor * f^exponent <= 1, each a share of time times a power,
//
// with powers over the limit at the top clock, and f the SM clock over the top clock. Measured by
// M24, where clocks settle within 50 to 100 ms; valid for loads that last longer.
#pragma once

#include "models/constants.hpp"
#include "models/gpu_step.hpp"

namespace epsim {

// Shares of the time in which a kind runs; together above 1 where kinds overlap.
struct PowerUse {
  double tensor = 0;         // GEMMs, attention
  double memory = 0;         // other compute
  double communication = 0;  // exchanges
};

// Of a step's tasks as they run alone: a kernel that others slow down does the same work, with less
// power for longer. `step_time`: how long the step takes with them.
[[nodiscard]] PowerUse power_use(const GpuStep& step, Duration step_time);

// Over the top clock, at most 1. `own_clock`: the clock at which the tasks' times were taken, over
// the top clock: at another one, what runs on tensor cores takes longer or shorter.
[[nodiscard]] double clock_under_load(const PowerUse& use,
                                      double own_clock,
                                      const ConstantSet& constants);
// The clock at which tasks ran that used so much: where time and clock agree.
[[nodiscard]] double recorded_clock(const PowerUse& use, const ConstantSet& constants);

// Whether arithmetic on tensor cores is what a task's power goes into.
[[nodiscard]] bool uses_tensor_cores(const StepTask& task);

}  // namespace epsim
