// host_call_kind: what a call of the CUDA or HIP runtime or driver means for the GPU's streams,
// told by its name, whatever the profiler has hung on it ("cudaLaunchKernel_ptsz_v7000").
#pragma once

#include <optional>
#include <string_view>

#include "traces/gpu_trace.hpp"

namespace epsim {

// Nothing for calls that neither queue work nor order it: allocations, queries, the building of
// graphs.
[[nodiscard]] std::optional<HostCallKind> host_call_kind(std::string_view call_name);

}  // namespace epsim
