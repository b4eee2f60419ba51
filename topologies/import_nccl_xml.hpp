// Import of the XML that NCCL writes to NCCL_TOPO_DUMP_FILE: CPUs, the PCIe tree below them, GPUs
// with their NVLinks, and NICs with their speeds.
#pragma once

#include <string_view>

#include "topologies/host_drawing.hpp"

namespace epsim {

// Throws InputError with the line and the element that is wrong. `file` stands for the text.
[[nodiscard]] HostDrawing draw_nccl_xml(std::string_view text,
                                        std::string_view file,
                                        const GpuChoice& gpu);

}  // namespace epsim
