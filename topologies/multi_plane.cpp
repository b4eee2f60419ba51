// multi_plane: a network of leaves and spines for each NIC of a host, with no link between these
// planes.
//
// What goes to a GPU of another plane changes planes inside the sender's host: by PCIe and the CPU
// to the NIC of the target's plane. Links to and from the CPU run that way only, or PCIe would be a
// way from GPU to GPU past all NICs, which RDMA does not take.
#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "topologies/finished_topology.hpp"
#include "topologies/host_parts.hpp"
#include "topologies/network_parts.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

void add_plane_change(TopologyParts& parts,
                      std::string_view prefix,
                      const HostNodes& host,
                      const NicPathShape& path) {
  const NodeId cpu = add_node(parts, fmt::format("{}cpu0", prefix), NodeKind::cpu);
  Link link;
  link.bandwidth = path.pcie_bandwidth;
  link.latency = path.pcie_latency;
  link.kind = LinkKind::pcie;
  for (const NodeId pcie_switch : host.pcie_switches) {
    link.source = pcie_switch;
    link.target = cpu;
    parts.links.push_back(link);
  }
  for (const NodeId nic : host.nics) {
    link.source = cpu;
    link.target = nic;
    parts.links.push_back(link);
  }
}

}  // namespace

Topology build_multi_plane(TopologySpec& spec) {
  TopologyParts parts = spec.common_parts();
  const HostCount count = read_hosts(spec);
  const NvlinkShape nvlink = read_nvlink(spec, count.gpus_per_host);
  const NicPathShape path = read_nic_path(spec);
  const NetworkShape network = read_network(spec);
  parts.routing = network.routing;
  if (path.path != NicPath::pcie_switch)
    spec.kind().fail("nic_path must be pcie_switch: planes are changed between PCIe switches");
  check_gpu_count(count);

  std::vector<HostNodes> hosts;
  for (std::uint32_t host = 0; host < count.hosts; ++host) {
    const std::string prefix = fmt::format("host{}.", host);
    hosts.push_back(add_host(parts, prefix, nvlink, path));
    add_plane_change(parts, prefix, hosts.back(), path);
  }
  for (std::uint32_t plane = 0; plane < count.gpus_per_host; ++plane) {
    const std::vector<NodeId> leaves = add_switches(
        parts, fmt::format("plane{}.leaf", plane), divided_up(count.hosts, network.leaf_ports));
    for (std::uint32_t host = 0; host < count.hosts; ++host)
      join_nic(parts, hosts[host].nics[plane], leaves[host / network.leaf_ports], network);
    if (leaves.size() == 1) continue;
    join_tiers(parts,
               leaves,
               add_switches(parts, fmt::format("plane{}.spine", plane), network.spines),
               spine_share(network),
               network.switch_latency);
  }
  return finished_topology(spec, std::move(parts));
}

}  // namespace epsim
