// TopologyBoxes: where each node of a drawing stands, and the frames round hosts and racks.
//
// From top to bottom: core, spine and leaf switches; hosts, each with its NICs, CPUs, PCIe
// switches, GPUs and own NVSwitches; NVSwitches that hosts share. What NVLink joins is below the
// GPUs and the way to the network above them, so that their lines do not cross.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "topologies/topology_cables.hpp"
#include "topologies/topology_drawing.hpp"
#include "topologies/topology_elision.hpp"
#include "topologies/topology_layers.hpp"

namespace epsim {

inline constexpr std::size_t kNoBox = std::numeric_limits<std::size_t>::max();

// Boxes and frames have no words yet, but for names of frames.
struct TopologyBoxes {
  std::vector<DrawnBox> boxes;
  std::vector<std::vector<NodeId>> nodes_of;       // by box
  std::vector<std::vector<std::size_t>> hosts_of;  // by box: those that a mark stands for
  std::vector<std::size_t> box_of;                 // by node
  std::vector<DrawnFrame> frames;
  double bottom = 0;
};

// Where they may stand.
struct DrawingArea {
  double x = 0;
  double y = 0;
  double width = 0;
};

[[nodiscard]] TopologyBoxes place_boxes(const Topology& topology,
                                        const TopologyLayers& layers,
                                        const std::vector<Cable>& cables,
                                        const TopologyElision& elision,
                                        const DrawingArea& area);

}  // namespace epsim
