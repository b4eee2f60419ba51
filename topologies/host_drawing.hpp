// HostDrawing: one host as a tool drew it: GPUs, what joins them, and NICs. What a reader of a
// tool's output makes, and what becomes a Topology once the hosts are joined by a network.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "topologies/known_gpu.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// How a NIC leaves its host. No speed where the text tells none.
struct NicPort {
  NodeId nic;
  std::optional<Bandwidth> speed;
};

struct HostDrawing {
  KnownGpu gpu;
  std::vector<Node> nodes;
  std::vector<Link> links;
  std::vector<NicPort> ports;
  std::vector<std::string> sources;  // what was read, and what was assumed

  NodeId add(std::string name, NodeKind kind);
  // Both ways.
  void join(NodeId a, NodeId b, Bandwidth bandwidth, LinkKind kind);
  // An NVSwitch plane: as in the presets, who sends queues and who receives shares.
  void join_switch(NodeId gpu, NodeId nvswitch, Bandwidth bandwidth);
};

// What no tool tells: as in the presets of fabrics, but for CPUs. There a link takes long, so that
// what is posted to a NIC goes over the NIC and not over a CPU.
inline constexpr Duration kNvlinkLatency{250'000};
inline constexpr Duration kPcieLatency{115'000};
inline constexpr Duration kCpuLatency{500'000};
inline constexpr Duration kLeafLatency{550'000};   // from a NIC, with the switch
inline constexpr Duration kCableLatency{100'000};  // to a NIC
inline constexpr Bandwidth kSocketBandwidth{22e9};

// What a PCIe link carries each way, after its line code. Nothing where no such link exists.
[[nodiscard]] std::optional<Bandwidth> pcie_bandwidth(double gigatransfers, int lanes);

}  // namespace epsim
