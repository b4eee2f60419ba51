// Replay trace: profiler dumps with the classes of their kernels, as Chrome trace events to open in
// ui.perfetto.dev: a process a rank and device, a track a stream, and one for what communication
// was exposed.
#pragma once

#include <string>

#include "sim/replay_report.hpp"

namespace epsim {

[[nodiscard]] std::string replay_trace(const ReplayReport& report);

}  // namespace epsim
