// nvlink_rack: racks of trays whose GPUs all share one NVSwitch plane, as NVL72 and NVL36.
//
// One rack is told without its NICs: nothing in it needs them. Of several, each tray has a NIC a
// GPU, and NIC i of each tray is at a leaf of rail i; leaves meet at spines.
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
  HostCount count;  // racks
  std::uint32_t rails = 0;
  NvlinkShape nvlink;
  NicPathShape path;
  NetworkShape network;
  [[nodiscard]] std::uint32_t trays_per_rack() const { return count.gpus_per_host / rails; }
};

Shape read_shape(TopologySpec& spec) {
  Shape shape;
  shape.parts = spec.common_parts();
  shape.count.hosts_at = spec.parameter("racks");
  shape.count.hosts = static_cast<std::uint32_t>(shape.count.hosts_at->integer_in(1, kMostHosts));
  const JsonValue gpus = spec.parameter("gpus");
  shape.count.gpus_per_host =
      static_cast<std::uint32_t>(gpus.integer_in(1, static_cast<std::int64_t>(kMostGpus)));
  shape.rails = read_count(spec, "gpus_per_tray", 64);
  if (shape.count.hosts > 1 && shape.count.gpus_per_host % shape.rails != 0)
    gpus.fail_expected(fmt::format("a multiple of the {} GPUs of a tray", shape.rails));
  shape.nvlink = read_nvlink(spec, shape.count.gpus_per_host);
  shape.path = read_nic_path(spec);
  shape.network = read_network(spec);
  return shape;
}

}  // namespace

Topology build_nvlink_rack(TopologySpec& spec) {
  Shape shape = read_shape(spec);
  TopologyParts& parts = shape.parts;
  const NetworkShape& network = shape.network;
  check_gpu_count(shape.count);
  if (shape.count.hosts == 1) {
    add_nvlink_plane(parts, "", shape.nvlink);
    return finished_topology(spec, std::move(parts));
  }
  parts.routing = network.routing;
  std::vector<NodeId> nics;  // tray by tray
  for (std::uint32_t rack = 0; rack < shape.count.hosts; ++rack) {
    const HostNodes nodes = add_host(parts, fmt::format("rack{}.", rack), shape.nvlink, shape.path);
    nics.insert(nics.end(), nodes.nics.begin(), nodes.nics.end());
  }
  const auto trays = static_cast<std::uint32_t>(nics.size()) / shape.rails;
  const std::vector<NodeId> leaves =
      add_switches(parts, "leaf", shape.rails * divided_up(trays, network.leaf_ports));
  for (std::uint32_t i = 0; i < nics.size(); ++i)
    join_nic(parts,
             nics[i],
             leaves[i / shape.rails / network.leaf_ports * shape.rails + i % shape.rails],
             network);
  if (leaves.size() > 1)
    join_tiers(parts,
               leaves,
               add_switches(parts, "spine", network.spines),
               spine_share(network),
               network.switch_latency);
  return finished_topology(spec, std::move(parts));
}

FoldedParts fold_nvlink_rack(TopologySpec& spec) {
  Shape shape = read_shape(spec);
  const std::uint32_t trays = shape.trays_per_rack();
  const std::uint32_t ports = shape.network.leaf_ports;
  if (shape.count.hosts == 1)
    shape.count.hosts_at->fail("one rack has no network: it stands for itself");
  if (ports % trays != 0 && trays % ports != 0)
    shape.network.leaf_ports_at->fail(fmt::format(
        "one rack cannot stand for {}: leaves of {} ports divide racks of {} trays unevenly",
        shape.count.hosts,
        ports,
        trays));
  // Leaves that hold a part of a rack join no two racks.
  const double leaf =
      ports < trays ? 0.0 : same_leaf_share(shape.count, ports / trays) / shape.rails;
  return fold_host(
      spec,
      std::move(shape.parts),
      shape.count,
      shape.nvlink,
      shape.path,
      shape.network,
      {.leaf = leaf, .pod = 1 - leaf, .leaf_fill = leaf_fill(shape.count.hosts * trays, ports)});
}

}  // namespace epsim
