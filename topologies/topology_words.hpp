// TopologyWords: what stands in the boxes and frames of a drawing, and what their tooltips say.
#pragma once

#include <string>
#include <vector>

#include "topologies/topology_boxes.hpp"
#include "topologies/topology_cables.hpp"
#include "topologies/topology_layers.hpp"

namespace epsim {

void write_words(const Topology& topology,
                 const TopologyLayers& layers,
                 const std::vector<Cable>& cables,
                 TopologyBoxes& boxes);

// "gpu3", "13 hosts": what a line says of its end.
[[nodiscard]] std::string end_text(const Topology& topology,
                                   const TopologyLayers& layers,
                                   const TopologyBoxes& boxes,
                                   std::size_t box);

}  // namespace epsim
