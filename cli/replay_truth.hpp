// Replay truth: what replay says of profiler dumps, beside what a table says that is so.
#pragma once

#include <string>

#include "traces/kernel_class.hpp"

namespace epsim {

// Prints Markdown tables, or JSON (epsim.replay_truth/1) to `json`: overlaps; recorded steps played
// again; each two-batch step predicted from the serial dump of its configuration, and the other
// way, beside what hiding for free would give. Dumps lie beside the table at `path`. Throws
// CLI::RuntimeError(1) when an overlap is off by more than 0.1 points.
void compare_with_truth(const std::string& path,
                        const KernelClassTable& classes,
                        const std::string& json,
                        const std::string& system = "hgx-h200");

}  // namespace epsim
