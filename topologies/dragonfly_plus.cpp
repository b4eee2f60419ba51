// dragonfly_plus: groups of leaves and spines, and long cables between all groups.
//
// All NICs of a host are at one leaf. Spine i of each group is joined to spine i of every other
// group; towards other groups a spine has as much bandwidth as towards its leaves, spread evenly.
// Messages take shortest ways only: detours through a third group are not modelled.
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

// Of one group: its leaves, joined to NICs and spines. Gives the spines.
std::vector<NodeId> add_group(TopologyParts& parts,
                              std::uint32_t group,
                              std::span<const HostNodes> hosts,
                              std::uint32_t leaf_hosts,
                              const NetworkShape& network) {
  const auto host_count = static_cast<std::uint32_t>(hosts.size());
  const std::vector<NodeId> leaves =
      add_switches(parts, fmt::format("group{}.leaf", group), divided_up(host_count, leaf_hosts));
  for (std::uint32_t host = 0; host < host_count; ++host)
    for (const NodeId nic : hosts[host].nics)
      join_nic(parts, nic, leaves[host / leaf_hosts], network);
  std::vector<NodeId> spines =
      add_switches(parts, fmt::format("group{}.spine", group), network.spines);
  join_tiers(parts, leaves, spines, spine_share(network), network.switch_latency);
  return spines;
}

void join_groups(TopologyParts& parts,
                 const std::vector<std::vector<NodeId>>& spines,
                 Bandwidth spine_bandwidth,
                 Duration latency) {
  if (spines.size() < 2) return;
  const Bandwidth each{spine_bandwidth.bytes_per_second / static_cast<double>(spines.size() - 1)};
  for (std::size_t low = 0; low < spines.size(); ++low)
    for (std::size_t high = low + 1; high < spines.size(); ++high)
      for (std::size_t i = 0; i < spines[low].size(); ++i)
        add_cable(parts,
                  {.source = spines[low][i],
                   .target = spines[high][i],
                   .bandwidth = each,
                   .latency = latency,
                   .kind = LinkKind::rdma});
}

}  // namespace

Topology build_dragonfly_plus(TopologySpec& spec) {
  TopologyParts parts = spec.common_parts();
  const HostCount count = read_hosts(spec);
  const NvlinkShape nvlink = read_nvlink(spec, count.gpus_per_host);
  const NicPathShape path = read_nic_path(spec);
  const NetworkShape network = read_network(spec);
  parts.routing = network.routing;
  const std::uint32_t group_leaves = read_count(spec, "group_leaves", 1024);
  const Duration global_latency = read_latency(spec.parameter("global_latency"));
  const std::uint32_t leaf_hosts = hosts_per_leaf(count, network);
  check_gpu_count(count);

  std::vector<HostNodes> hosts;
  for (std::uint32_t host = 0; host < count.hosts; ++host)
    hosts.push_back(add_host(parts, fmt::format("host{}.", host), nvlink, path));
  const std::uint32_t hosts_per_group = leaf_hosts * group_leaves;
  std::vector<std::vector<NodeId>> spines;
  for (std::uint32_t first = 0; first < count.hosts; first += hosts_per_group)
    spines.push_back(
        add_group(parts,
                  static_cast<std::uint32_t>(spines.size()),
                  std::span(hosts).subspan(first, std::min(hosts_per_group, count.hosts - first)),
                  leaf_hosts,
                  network));
  const Bandwidth leaf_share = spine_share(network);
  join_groups(parts, spines, Bandwidth{leaf_share.bytes_per_second * group_leaves}, global_latency);
  return finished_topology(spec, std::move(parts));
}

}  // namespace epsim
