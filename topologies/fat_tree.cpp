// fat_tree: all NICs of a host at one leaf, leaves under spines and, with three tiers, pods of
// leaves and spines under cores.
//
// Spine i of each pod is joined to the i-th share of the cores. Only leaves are oversubscribed:
// cores carry all that spines pass on. Two tiers ask for pod_leaves and cores but do not use them.
#include <algorithm>
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
  std::uint32_t hosts_per_leaf = 0;
  std::uint32_t pod_leaves = 0;  // of two tiers: all leaves are one pod
  std::uint32_t cores = 0;
};

Shape read_shape(TopologySpec& spec) {
  Shape shape;
  shape.parts = spec.common_parts();
  shape.count = read_hosts(spec);
  shape.nvlink = read_nvlink(spec, shape.count.gpus_per_host);
  shape.path = read_nic_path(spec);
  shape.network = read_network(spec);
  shape.parts.routing = shape.network.routing;
  shape.hosts_per_leaf = hosts_per_leaf(shape.count, shape.network);
  const bool has_cores = spec.parameter("tiers").integer_in(2, 3) == 3;
  shape.pod_leaves = read_count(spec, "pod_leaves", 1024);
  const JsonValue cores = spec.parameter("cores");
  shape.cores = static_cast<std::uint32_t>(cores.integer_in(1, 1024));
  if (has_cores && shape.cores % shape.network.spines != 0)
    cores.fail_expected(fmt::format("a multiple of the {} spines of a pod", shape.network.spines));
  if (!has_cores) shape.pod_leaves = divided_up(shape.count.hosts, shape.hosts_per_leaf);
  return shape;
}

// Spine i of a pod to the i-th share of the cores, with the bandwidth that reaches it from below.
void join_cores(TopologyParts& parts,
                const std::vector<NodeId>& spines,
                const std::vector<NodeId>& cores,
                Bandwidth each,
                Duration latency) {
  const std::size_t share = cores.size() / spines.size();
  for (std::size_t i = 0; i < spines.size(); ++i)
    join_tiers(parts,
               std::span(spines).subspan(i, 1),
               std::span(cores).subspan(i * share, share),
               each,
               latency);
}

void add_network(const std::vector<HostNodes>& hosts, Shape& shape) {
  TopologyParts& parts = shape.parts;
  const NetworkShape& network = shape.network;
  const auto host_count = static_cast<std::uint32_t>(hosts.size());
  const std::vector<NodeId> leaves =
      add_switches(parts, "leaf", divided_up(host_count, shape.hosts_per_leaf));
  for (std::uint32_t host = 0; host < host_count; ++host)
    for (const NodeId nic : hosts[host].nics)
      join_nic(parts, nic, leaves[host / shape.hosts_per_leaf], network);
  if (leaves.size() == 1) return;

  const auto leaf_count = static_cast<std::uint32_t>(leaves.size());
  const std::uint32_t pods = divided_up(leaf_count, shape.pod_leaves);
  const Bandwidth up = spine_share(network);
  std::vector<NodeId> cores;
  if (pods > 1) cores = add_switches(parts, "core", shape.cores);
  for (std::uint32_t pod = 0; pod < pods; ++pod) {
    const std::uint32_t first = pod * shape.pod_leaves;
    const auto below =
        std::span(leaves).subspan(first, std::min(shape.pod_leaves, leaf_count - first));
    const std::vector<NodeId> spines =
        add_switches(parts, pods > 1 ? fmt::format("pod{}.spine", pod) : "spine", network.spines);
    join_tiers(parts, below, spines, up, network.switch_latency);
    if (cores.empty()) continue;
    const double cores_of_spine = static_cast<double>(shape.cores) / network.spines;
    join_cores(parts,
               spines,
               cores,
               Bandwidth{up.bytes_per_second * shape.pod_leaves / cores_of_spine},
               network.switch_latency);
  }
}

}  // namespace

Topology build_fat_tree(TopologySpec& spec) {
  Shape shape = read_shape(spec);
  check_gpu_count(shape.count);
  std::vector<HostNodes> hosts;
  for (std::uint32_t host = 0; host < shape.count.hosts; ++host)
    hosts.push_back(add_host(shape.parts, fmt::format("host{}.", host), shape.nvlink, shape.path));
  add_network(hosts, shape);
  return finished_topology(spec, std::move(shape.parts));
}

FoldedParts fold_fat_tree(TopologySpec& spec) {
  Shape shape = read_shape(spec);
  const double leaf = same_leaf_share(shape.count, shape.hosts_per_leaf);
  const double pod = same_leaf_share(shape.count, shape.hosts_per_leaf * shape.pod_leaves);
  return fold_host(spec,
                   std::move(shape.parts),
                   shape.count,
                   shape.nvlink,
                   shape.path,
                   shape.network,
                   {.leaf = leaf,
                    .pod = pod - leaf,
                    .leaf_fill = leaf_fill(shape.count.hosts, shape.hosts_per_leaf)});
}

}  // namespace epsim
