// rail_optimised: leaves and spines, with NIC i of each host at a leaf of rail i.
//
// GPUs of one number reach each other through one leaf, as collectives like it; others through a
// spine. Rails meet at the spines alone.
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "topologies/finished_topology.hpp"
#include "topologies/folded_topology.hpp"
#include "topologies/host_parts.hpp"
#include "topologies/network_parts.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct Shape {
  TopologyParts parts;
  HostCount count;
  NvlinkShape nvlink;
  NicPathShape path;
  NetworkShape network;
};

Shape read_shape(TopologySpec& spec) {
  Shape shape;
  shape.parts = spec.common_parts();
  shape.count = read_hosts(spec);
  shape.nvlink = read_nvlink(spec, shape.count.gpus_per_host);
  shape.path = read_nic_path(spec);
  shape.network = read_network(spec);
  shape.parts.routing = shape.network.routing;
  return shape;
}

}  // namespace

Topology build_rail_optimised(TopologySpec& spec) {
  Shape shape = read_shape(spec);
  const std::uint32_t hosts = shape.count.hosts;
  const std::uint32_t rails = shape.count.gpus_per_host;
  const NetworkShape& network = shape.network;
  check_gpu_count(shape.count);
  TopologyParts& parts = shape.parts;
  std::vector<HostNodes> nodes;
  for (std::uint32_t host = 0; host < hosts; ++host)
    nodes.push_back(add_host(parts, fmt::format("host{}.", host), shape.nvlink, shape.path));

  const std::vector<NodeId> leaves =
      add_switches(parts, "leaf", rails * divided_up(hosts, network.leaf_ports));
  for (std::uint32_t host = 0; host < hosts; ++host)
    for (std::uint32_t rail = 0; rail < rails; ++rail)
      join_nic(
          parts, nodes[host].nics[rail], leaves[host / network.leaf_ports * rails + rail], network);
  if (leaves.size() > 1)
    join_tiers(parts,
               leaves,
               add_switches(parts, "spine", network.spines),
               spine_share(network),
               network.switch_latency);
  return finished_topology(spec, std::move(parts));
}

FoldedParts fold_rail_optimised(TopologySpec& spec) {
  Shape shape = read_shape(spec);
  const double leaf =
      same_leaf_share(shape.count, shape.network.leaf_ports) / shape.count.gpus_per_host;
  return fold_host(spec,
                   std::move(shape.parts),
                   shape.count,
                   shape.nvlink,
                   shape.path,
                   shape.network,
                   {.leaf = leaf,
                    .pod = 1 - leaf,
                    .leaf_fill = leaf_fill(shape.count.hosts, shape.network.leaf_ports)});
}

}  // namespace epsim
