// `epsim topology import`: what other tools say of a machine, as a topology file.
#pragma once

namespace CLI {
class App;
}

namespace epsim {

void add_topology_import(CLI::App& topology);

}  // namespace epsim
