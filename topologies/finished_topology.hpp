// Finished topology: the last step of every builder: failed links are taken away, parameters that
// nobody asked for are refused, routes are found.
#pragma once

#include "topologies/topology.hpp"
#include "topologies/topology_spec.hpp"

namespace epsim {

// Reads the parameter failed_links, which every kind takes: ["leaf0->spine1"] takes both
// directions of that cable away. Throws InputError for a link that is not there, and where GPUs
// are cut off from each other without those links.
[[nodiscard]] Topology finished_topology(TopologySpec& spec, TopologyParts parts);

}  // namespace epsim
