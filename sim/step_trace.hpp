// Step trace: a step's tasks as Chrome trace events, one track a stream, to open in
// ui.perfetto.dev.
#pragma once

#include <string>
#include <string_view>

#include "models/gpu_step.hpp"
#include "sim/step_run.hpp"

namespace epsim {

[[nodiscard]] std::string step_trace(std::string_view name,
                                     const GpuStep& step,
                                     const StepRun& run);

}  // namespace epsim
