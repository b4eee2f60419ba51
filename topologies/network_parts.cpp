#include "topologies/network_parts.hpp"

#include <utility>

#include <fmt/format.h>

#include "topologies/host_parts.hpp"

namespace epsim {

std::uint32_t read_count(TopologySpec& spec, std::string_view key, std::int64_t most) {
  return static_cast<std::uint32_t>(spec.parameter(key).integer_in(1, most));
}

HostCount read_hosts(TopologySpec& spec) {
  const JsonValue hosts = spec.parameter("hosts");
  return {.hosts = static_cast<std::uint32_t>(hosts.integer_in(1, kMostHosts)),
          .gpus_per_host = read_count(spec, "gpus_per_host", 64),
          .hosts_at = hosts};
}

NetworkShape read_network(TopologySpec& spec) {
  NetworkShape shape;
  shape.nic_bandwidth = read_bandwidth(spec.parameter("nic_bandwidth"));
  shape.nic_latency = read_latency(spec.parameter("nic_latency"));
  shape.switch_latency = read_latency(spec.parameter("switch_latency"));
  shape.leaf_ports_at = spec.parameter("leaf_ports");
  shape.leaf_ports = static_cast<std::uint32_t>(shape.leaf_ports_at->integer_in(1, 1024));
  shape.spines = read_count(spec, "spines", 256);
  shape.oversubscription = spec.parameter("oversubscription").number_in(0.125, 64);
  shape.routing_at = spec.parameter("routing");
  shape.routing = static_cast<NetworkRouting>(
      shape.routing_at->one_of({kNetworkRoutingNames.begin(), kNetworkRoutingNames.end()}));
  return shape;
}

void check_gpu_count(const HostCount& count) {
  const std::size_t most = kMostGpus / count.gpus_per_host;
  if (count.hosts > most)
    count.hosts_at->fail_expected(
        fmt::format("at most {} of {} GPUs each; a topology holds at most {} GPUs",
                    most,
                    count.gpus_per_host,
                    kMostGpus));
}

std::uint32_t hosts_per_leaf(const HostCount& count, const NetworkShape& network) {
  if (network.leaf_ports % count.gpus_per_host != 0)
    network.leaf_ports_at->fail_expected(fmt::format(
        "a multiple of {}, since a leaf takes all NICs of a host", count.gpus_per_host));
  return network.leaf_ports / count.gpus_per_host;
}

NodeId add_switch(TopologyParts& parts, std::string name) {
  return add_node(parts, std::move(name), NodeKind::network_switch);
}

std::vector<NodeId> add_switches(TopologyParts& parts,
                                 std::string_view prefix,
                                 std::uint32_t count) {
  std::vector<NodeId> switches;
  for (std::uint32_t i = 0; i < count; ++i)
    switches.push_back(add_switch(parts, fmt::format("{}{}", prefix, i)));
  return switches;
}

void join_nic(TopologyParts& parts, NodeId nic, NodeId leaf, const NetworkShape& network) {
  Link link{.source = nic,
            .target = leaf,
            .bandwidth = network.nic_bandwidth,
            .latency = network.nic_latency + network.switch_latency,
            .kind = LinkKind::rdma};
  parts.links.push_back(link);
  std::swap(link.source, link.target);
  link.latency = network.nic_latency;
  parts.links.push_back(link);
}

void join_tiers(TopologyParts& parts,
                std::span<const NodeId> lower,
                std::span<const NodeId> upper,
                Bandwidth bandwidth,
                Duration latency) {
  for (const NodeId low : lower)
    for (const NodeId high : upper)
      add_cable(parts,
                {.source = low,
                 .target = high,
                 .bandwidth = bandwidth,
                 .latency = latency,
                 .kind = LinkKind::rdma});
}

Bandwidth spine_share(const NetworkShape& network) {
  return Bandwidth{network.nic_bandwidth.bytes_per_second * network.leaf_ports /
                   network.oversubscription / network.spines};
}

Duration way_latency(const NetworkShape& network, std::uint32_t switches) {
  return 2 * network.nic_latency + switches * network.switch_latency;
}

}  // namespace epsim
