#include "topologies/host_parts.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::array<std::string_view, 3> kNicPathNames = {"pcie_switch", "pcie", "c2c"};

// A real node has several NVSwitch chips, and a GPU's links are divided among them; addresses are
// spread over all links, so that together they behave as one switch without a bottleneck inside.
// Up, a GPU sends in the order in which it issues. Down, senders meet and share.
void add_nvlink(TopologyParts& parts, NodeId gpu, NodeId nvswitch, const NvlinkShape& nvlink) {
  Link link{.source = gpu,
            .target = nvswitch,
            .bandwidth = nvlink.bandwidth,
            .latency = nvlink.latency,
            .kind = LinkKind::nvlink,
            .sharing = LinkSharing::fifo};
  parts.links.push_back(link);
  std::swap(link.source, link.target);
  link.sharing = LinkSharing::fair;
  parts.links.push_back(link);
}

Link pcie_link(NodeId source, NodeId target, const NicPathShape& path) {
  return {.source = source,
          .target = target,
          .bandwidth = path.pcie_bandwidth,
          .latency = path.pcie_latency,
          .kind = LinkKind::pcie};
}

}  // namespace

NvlinkShape read_nvlink(TopologySpec& spec, std::uint32_t gpus) {
  return {.gpus = gpus,
          .bandwidth = read_bandwidth(spec.parameter("nvlink_bandwidth")),
          .latency = read_latency(spec.parameter("nvlink_latency"))};
}

NicPathShape read_nic_path(TopologySpec& spec) {
  NicPathShape shape;
  shape.path = static_cast<NicPath>(
      spec.parameter("nic_path").one_of({kNicPathNames.begin(), kNicPathNames.end()}));
  shape.pcie_bandwidth = read_bandwidth(spec.parameter("pcie_bandwidth"));
  shape.pcie_latency = read_latency(spec.parameter("pcie_latency"));
  if (shape.path == NicPath::c2c) {
    shape.c2c_bandwidth = read_bandwidth(spec.parameter("c2c_bandwidth"));
    shape.c2c_latency = read_latency(spec.parameter("c2c_latency"));
  }
  return shape;
}

NodeId add_node(TopologyParts& parts, std::string name, NodeKind kind) {
  parts.nodes.push_back({.name = std::move(name), .kind = kind});
  return NodeId{static_cast<std::uint32_t>(parts.nodes.size() - 1)};
}

void add_cable(TopologyParts& parts, Link link) {
  parts.links.push_back(link);
  std::swap(link.source, link.target);
  parts.links.push_back(link);
}

std::vector<NodeId> add_nvlink_plane(TopologyParts& parts,
                                     std::string_view prefix,
                                     const NvlinkShape& nvlink) {
  std::vector<NodeId> gpus;
  for (std::uint32_t i = 0; i < nvlink.gpus; ++i)
    gpus.push_back(add_node(parts, fmt::format("{}gpu{}", prefix, i), NodeKind::gpu));
  const NodeId nvswitch = add_node(parts, fmt::format("{}nvswitch0", prefix), NodeKind::nvswitch);
  for (const NodeId gpu : gpus) add_nvlink(parts, gpu, nvswitch, nvlink);
  return gpus;
}

HostNodes add_host(TopologyParts& parts,
                   std::string_view prefix,
                   const NvlinkShape& nvlink,
                   const NicPathShape& path) {
  HostNodes nodes;
  const std::vector<NodeId> gpus = add_nvlink_plane(parts, prefix, nvlink);
  for (std::uint32_t i = 0; i < nvlink.gpus; ++i) {
    NodeId beside_nic = gpus[i];
    if (path.path == NicPath::pcie_switch) {
      beside_nic = add_node(parts, fmt::format("{}pcie{}", prefix, i), NodeKind::pcie_switch);
      nodes.pcie_switches.push_back(beside_nic);
      add_cable(parts, pcie_link(gpus[i], beside_nic, path));
    } else if (path.path == NicPath::c2c) {
      // A Grace CPU has two GPUs. Each sees a half of its own, a C2C port and a PCIe root port:
      // joined, they would be a way from GPU to GPU past both NICs, which RDMA does not take.
      beside_nic =
          add_node(parts, fmt::format("{}cpu{}.port{}", prefix, i / 2, i % 2), NodeKind::cpu);
      add_cable(parts,
                {.source = gpus[i],
                 .target = beside_nic,
                 .bandwidth = path.c2c_bandwidth,
                 .latency = path.c2c_latency,
                 .kind = LinkKind::c2c});
    }
    nodes.nics.push_back(add_node(parts, fmt::format("{}nic{}", prefix, i), NodeKind::nic));
    add_cable(parts, pcie_link(beside_nic, nodes.nics.back(), path));
  }
  return nodes;
}

}  // namespace epsim
