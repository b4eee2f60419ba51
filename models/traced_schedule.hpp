// traced_schedule: a recorded step under another schedule. Each task keeps its kernel and the time
// that it takes alone; streams, order and events are the new schedule's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/constants.hpp"
#include "models/gpu_step.hpp"
#include "models/step_units.hpp"

namespace epsim {

// A step whose tasks have the times that they take alone, with what each needs of the GPU filled in
// (memory, clock, tiles) from the constants of step_constants(). Of `steps`, equal tasks in equal
// places: medians. Exchanges take what the quicker ones of their kind took, because a recorded
// exchange holds the wait for its last rank. Starts no longer wait for the host.
[[nodiscard]] GpuStep step_alone(const std::vector<GpuStep>& steps, const ConstantSet& constants);

// Two micro-batches in turns on one stream, exchanges on a second one, as SGLang's prefill does:
// attention A, B, experts A, B, shared A, B; an exchange starts behind what it sends, what needs it
// waits in front of its first kernel, and a unit ends when its combine has. A step of one
// micro-batch is split in two: each kernel twice, with half of its CTAs' work.
[[nodiscard]] GpuStep two_batch_schedule(const GpuStep& step, const StepUnits& units);

// One unit after the other, all in one order.
[[nodiscard]] GpuStep serial_schedule(const GpuStep& step, const StepUnits& units);

// Both keep tasks of `step` that belong to no unit out.

}  // namespace epsim
