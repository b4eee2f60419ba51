#include "models/clock_law.hpp"

#include <cmath>

#include "sim/base/check.hpp"

namespace epsim {

bool uses_tensor_cores(const StepTask& task) {
  return task.kernel_class == KernelClass::compute &&
         (task.family == "GEMM" || task.family == "attention" || task.family == "convolution");
}

PowerUse power_use(const GpuStep& step, Duration step_time) {
  check(step_time > Duration{}, "a step takes time");
  PowerUse use;
  for (const StepTask& task : step.tasks) {
    const double share = to_us(task.time) / to_us(step_time);
    if (task.kernel_class == KernelClass::communication)
      use.communication += share;
    else if (uses_tensor_cores(task))
      use.tensor += share;
    else if (task.kernel_class == KernelClass::compute)
      use.memory += share;
  }
  return use;
}

double clock_under_load(const PowerUse& use, double own_clock, const ConstantSet& constants) {
  const double exponent = constants.ratio("power_exponent");
  const auto power = [&](double clock) {
    return constants.ratio("power_idle") + use.communication * constants.ratio("power_exchange") +
           use.memory * constants.ratio("power_memory") +
           use.tensor * own_clock / clock * constants.ratio("power_tensor") *
               std::pow(clock, exponent);
  };
  constexpr double kLeastClock = 0.3;
  if (power(1.0) <= 1.0) return 1.0;
  double low = kLeastClock, high = 1.0;
  for (int i = 0; i < 40; ++i) {
    const double middle = 0.5 * (low + high);
    (power(middle) <= 1.0 ? low : high) = middle;
  }
  return low;
}

double recorded_clock(const PowerUse& use, const ConstantSet& constants) {
  double clock = 1.0;
  for (int i = 0; i < 60; ++i) clock = 0.5 * (clock + clock_under_load(use, clock, constants));
  return clock;
}

}  // namespace epsim
