// Topology text: a topology as JSON for programs and as one screen for people.
#pragma once

#include <string>

#include "sim/base/json_writer.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// An epsim.topology/1 file of kind custom: reading it gives back the same nodes, links and GPU.
void write_topology(const Topology& topology, JsonWriter& writer);

// What it is, a drawing if it is one switch, its links, routes and bisection. Ends in a newline.
[[nodiscard]] std::string describe_topology(const Topology& topology);

}  // namespace epsim
