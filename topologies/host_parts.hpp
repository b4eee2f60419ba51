// Host parts: one NVLink domain of a fabric: GPUs on one NVSwitch, and a NIC beside each GPU.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"
#include "topologies/topology.hpp"
#include "topologies/topology_spec.hpp"

namespace epsim {

// What lies between a GPU and its NIC: a PCIe switch, nothing, or a Grace CPU reached by C2C.
enum class NicPath { pcie_switch, pcie, c2c };

struct NvlinkShape {
  std::uint32_t gpus = 0;
  Bandwidth bandwidth;  // of a GPU, one direction
  Duration latency{};   // GPU to switch, and switch to GPU
};

// Bandwidths are of one direction. C2C is told where the path takes it.
struct NicPathShape {
  NicPath path = NicPath::pcie_switch;
  Bandwidth pcie_bandwidth;
  Duration pcie_latency{};
  Bandwidth c2c_bandwidth;
  Duration c2c_latency{};
};

// By GPU of the host.
struct HostNodes {
  std::vector<NodeId> nics;
  std::vector<NodeId> pcie_switches;  // none where the path has none
};

// Reads nvlink_bandwidth and nvlink_latency.
[[nodiscard]] NvlinkShape read_nvlink(TopologySpec& spec, std::uint32_t gpus);
// Reads nic_path, pcie_bandwidth, pcie_latency and, on that path, c2c_bandwidth and c2c_latency.
[[nodiscard]] NicPathShape read_nic_path(TopologySpec& spec);

NodeId add_node(TopologyParts& parts, std::string name, NodeKind kind);

// A cable: `link` and its like the other way.
void add_cable(TopologyParts& parts, Link link);

// Nodes PREFIXgpu0, PREFIXgpu1 .. and PREFIXnvswitch0, each GPU with one cable to the switch.
// Gives the GPUs.
std::vector<NodeId> add_nvlink_plane(TopologyParts& parts,
                                     std::string_view prefix,
                                     const NvlinkShape& nvlink);

// An NVLink plane whose GPUs have a NIC each, PREFIXnic0, PREFIXnic1 ..
HostNodes add_host(TopologyParts& parts,
                   std::string_view prefix,
                   const NvlinkShape& nvlink,
                   const NicPathShape& path);

}  // namespace epsim
