// TopologyRows: how high each row of a drawing stands.
#pragma once

#include <cstddef>
#include <vector>

#include "topologies/topology_cables.hpp"
#include "topologies/topology_layers.hpp"

namespace epsim {

inline constexpr double kBoxHeight = 26;
inline constexpr double kSwitchHeight = 30;

// Heights grow downwards.
struct TopologyRows {
  std::vector<double> shared;  // by layer: rows of nodes that belong to no host
  std::vector<double> host;    // by layer: rows within hosts
  double domain_top = 0;       // frames round hosts that NVLink joins
  double domain_bottom = 0;
  double domain_switches = 0;  // NVSwitches that the hosts of a domain share
  double host_top = 0;
  double host_bottom = 0;
  bool is_named_on_top = false;  // hosts, where lines leave them below only
  double bottom = 0;
};

[[nodiscard]] TopologyRows plan_rows(const TopologyLayers& layers,
                                     const std::vector<Cable>& cables,
                                     double top,
                                     double padding);

}  // namespace epsim
