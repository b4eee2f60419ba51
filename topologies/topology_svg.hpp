// Topology SVG: a drawing of a topology as one self-contained picture for browsers and documents.
#pragma once

#include <string>

#include "topologies/topology_drawing.hpp"

namespace epsim {

// On a light ground of its own, so that it reads on dark pages too. Nodes and lines have tooltips.
[[nodiscard]] std::string topology_svg(const TopologyDrawing& drawing);

}  // namespace epsim
