// Trace steps: which steps a profiler says that a dump holds, and the part of a trace that is one
// of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "traces/gpu_trace.hpp"

namespace epsim {

// Ranges named "ProfilerStep#N", each once, in order. Many dumps have none.
[[nodiscard]] std::vector<std::string> profiler_steps(const GpuTrace& trace);

// What the host launched, or where that is not told what began, within the first range of that
// name: "ProfilerStep#5", "5" for short, or any other range. Throws InputError that names the
// ranges there are.
[[nodiscard]] GpuTrace step_of(const GpuTrace& trace, std::string_view name);

}  // namespace epsim
