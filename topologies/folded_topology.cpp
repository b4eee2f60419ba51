#include "topologies/folded_topology.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

void refuse_unlike_hosts(TopologySpec& spec, const HostCount& count, const NetworkShape& network) {
  const auto failed = spec.optional_parameter("failed_links");
  if (failed && !failed->array().empty())
    failed->fail("with failed links hosts are not alike, so that none can stand for all");
  if (network.routing == NetworkRouting::ecmp)
    network.routing_at->fail(
        "one host cannot stand for all: which flows ecmp lets collide differs from host to host");
  if (count.gpus_per_host < 2)
    count.hosts_at->fail("one host cannot stand for all: hosts of one GPU are not folded");
}

Duration mean_latency(const NetworkShape& network, const PairShares& pairs) {
  const auto share_of = [&](double share, std::uint32_t switches) {
    return share * static_cast<double>(way_latency(network, switches).count());
  };
  return Duration{
      std::llround(share_of(pairs.leaf, 1) + share_of(pairs.pod, 3) + share_of(pairs.beyond(), 5))};
}

}  // namespace

double same_leaf_share(const HostCount& count, std::uint32_t hosts_per_leaf) {
  const std::uint32_t hosts = count.hosts;
  if (hosts <= hosts_per_leaf) return 1;
  if (hosts % hosts_per_leaf != 0)
    count.hosts_at->fail(
        fmt::format("one host cannot stand for {}: the last switch has {} of them, others {}",
                    hosts,
                    hosts % hosts_per_leaf,
                    hosts_per_leaf));
  return (hosts_per_leaf - 1.0) / (hosts - 1.0);
}

FoldedParts fold_host(TopologySpec& spec,
                      TopologyParts parts,
                      const HostCount& count,
                      const NvlinkShape& nvlink,
                      const NicPathShape& path,
                      const NetworkShape& network,
                      const PairShares& pairs) {
  refuse_unlike_hosts(spec, count, network);
  spec.finish();
  const HostNodes host = add_host(parts, "", nvlink, path);
  const NodeId core = add_switch(parts, "core0");
  // Only what leaves its leaf is held up by narrow tiers above.
  const double share =
      std::min(1.0, 1 / (network.oversubscription * pairs.leaf_fill * (1 - pairs.leaf)));
  const Duration whole_way = mean_latency(network, pairs);
  for (const NodeId nic : host.nics) {
    parts.links.push_back({.source = nic,
                           .target = core,
                           .bandwidth = Bandwidth{network.nic_bandwidth.bytes_per_second * share},
                           .latency = whole_way - whole_way / 2,
                           .kind = LinkKind::rdma});
    parts.links.push_back({.source = core,
                           .target = nic,
                           .bandwidth = network.nic_bandwidth,
                           .latency = whole_way / 2,
                           .kind = LinkKind::rdma});
  }
  return {.parts = std::move(parts), .hosts = count.hosts, .gpus_per_host = count.gpus_per_host};
}

}  // namespace epsim
