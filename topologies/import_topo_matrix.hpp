// Import of the matrix that `nvidia-smi topo -m` prints: which devices of a host share NVLinks, a
// PCIe switch, a CPU. It tells neither the GPU nor any speed.
#pragma once

#include <string_view>

#include "topologies/host_drawing.hpp"

namespace epsim {

// Throws InputError with the line that is wrong. `file` stands for the text in messages.
[[nodiscard]] HostDrawing draw_topo_matrix(std::string_view text,
                                           std::string_view file,
                                           const GpuChoice& gpu);

}  // namespace epsim
