// TopologyLayers: in which layer, host and NVLink domain each node of a topology is drawn.
//
// Names say who belongs together where they have a dot ("host3.gpu5"); elsewhere the links do: what
// hangs together without a network switch is one host.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "topologies/topology.hpp"

namespace epsim {

// From bottom to top: NVLink goes down from the GPUs, the way to the network up. A network switch
// that is n links away from the nearest NIC or GPU is in layer kNetworkLayer + n - 1.
inline constexpr std::array kHostLayers = {
    NodeKind::nvswitch, NodeKind::gpu, NodeKind::pcie_switch, NodeKind::cpu, NodeKind::nic};
inline constexpr std::uint32_t kGpuLayer = 1;
inline constexpr auto kNetworkLayer = static_cast<std::uint32_t>(kHostLayers.size());

struct DrawnHost {
  std::string name;  // "host3", "NVLink domain 2" where the nodes' names say nothing
  std::string noun;  // "host": what several of them are
  std::vector<NodeId> nodes;
  std::size_t gpu_count = 0;
};

// Hosts that NVLink joins: a rack of trays. Most have one host.
struct DrawnDomain {
  std::string name;
  std::string noun;
  std::vector<std::size_t> hosts;
  std::vector<NodeId> shared;  // NVSwitches that stand in no host
};

struct TopologyLayers {
  std::vector<std::uint32_t> layer_of;   // by node
  std::vector<std::string> layer_names;  // "GPUs", "spine switches"; by layer
  std::vector<std::string> layer_nouns;  // "GPU", "spine"; by layer
  std::vector<DrawnHost> hosts;
  std::vector<DrawnDomain> domains;
  std::vector<NodeId> shared;  // of no host and no domain: switches, in order of their ids
};

[[nodiscard]] TopologyLayers layers_of(const Topology& topology);

// "gpu5" of "host3.gpu5"; "gpu" of "gpu5"; "3" of "leaf3".
[[nodiscard]] std::string_view last_part(std::string_view name);
[[nodiscard]] std::string_view stem(std::string_view name);
[[nodiscard]] std::string_view number_at_end(std::string_view name);

}  // namespace epsim
