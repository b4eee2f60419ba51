// Traced step: a profiler dump as GpuSteps. Played back in stream order, behind its edges and
// launches and with its gaps, a step gives the recorded times again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/gpu_step.hpp"
#include "sim/base/units.hpp"
#include "traces/gpu_trace.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

// Where the waits between a step's streams come from.
struct EdgeCounts {
  std::uint32_t told = 0;      // by the dump
  std::uint32_t inferred = 0;  // from the order of host calls, and times that allow it
  // Calls that made some stream wait, of which no edge came.
  std::uint32_t unknown = 0;
  std::uint32_t contradicted = 0;  // told, but the producer ends after the consumer starts
};

struct TracedStep {
  GpuStep step;                           // as_recorded
  std::vector<std::uint32_t> activities;  // of step.tasks: indices into GpuTrace::activities
  std::uint32_t first_activity = 0, last_activity = 0;  // the least and the greatest of them
  Instant origin;   // launches count from here: the end of the step before, or the first start
  Duration span{};  // first start to last end
  Duration time{};  // from the end of the step before; of the first step its span
  EdgeCounts edges;
  // Tasks that began before their stream's last one had ended (programmatic launches, branches of a
  // graph): they count from that end, and so does their time.
  std::uint32_t shortened = 0;
};

struct TracedSteps {
  std::vector<TracedStep> steps;
  std::string evidence;        // how the steps were told apart
  std::uint32_t left_out = 0;  // activities of the device that belong to none

  // The time of one step: the median without the first, which a cold host stretches; of a single
  // step its span. The nearest to unprofiled times of what one can say from a dump alone.
  [[nodiscard]] Duration measured() const;
};

// `step_count` 0: find the steps. A task's gap holds whatever kept it from its start, be it the
// launch's latency, SMs that others held, or an event that nobody told us of. Throws InputError
// when the dump has nothing of that device, or not so many equal steps.
[[nodiscard]] TracedSteps traced_steps(const GpuTrace& trace,
                                       const KernelClassTable& classes,
                                       std::uint32_t device,
                                       std::uint32_t step_count = 0);

// The steps alone.
[[nodiscard]] std::vector<TracedStep> steps_of(const GpuTrace& trace,
                                               const KernelClassTable& classes,
                                               std::uint32_t device);

}  // namespace epsim
