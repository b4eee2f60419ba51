// Network parts: what lies between NICs: leaves, the tiers of switches above them, and how much of
// the NICs' bandwidth these tiers carry on.
//
// Cables between the same two switches are one link of their bandwidth together. A link's latency
// holds the switch at its end: switch_latency is one switch with the cable before it, nic_latency
// the cable of a NIC, one way. Ways through equally many switches are equally long, so that
// switches may choose among them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/base/units.hpp"
#include "topologies/topology.hpp"
#include "topologies/topology_spec.hpp"

namespace epsim {

struct NetworkShape {
  Bandwidth nic_bandwidth;  // one direction
  Duration nic_latency{};
  Duration switch_latency{};
  std::uint32_t leaf_ports = 0;  // NICs that a leaf takes
  std::uint32_t spines = 0;
  double oversubscription = 1.0;  // bandwidth of a leaf's NICs over that of its ways up
  NetworkRouting routing = NetworkRouting::adaptive;
  std::optional<JsonValue> leaf_ports_at;  // where the file says so, for errors
  std::optional<JsonValue> routing_at;
};

// How many NVLink domains there are, all of one size.
struct HostCount {
  std::uint32_t hosts = 0;
  std::uint32_t gpus_per_host = 0;
  std::optional<JsonValue> hosts_at;  // where the file says so, for errors
};

// Of a folded topology; a whole one is bounded by its GPUs.
inline constexpr std::int64_t kMostHosts = 65'536;

// Reads `key`, 1 to `most`.
[[nodiscard]] std::uint32_t read_count(TopologySpec& spec, std::string_view key, std::int64_t most);
// Reads hosts and gpus_per_host.
[[nodiscard]] HostCount read_hosts(TopologySpec& spec);
// Reads nic_bandwidth, nic_latency, switch_latency, leaf_ports, spines, oversubscription, routing.
[[nodiscard]] NetworkShape read_network(TopologySpec& spec);
// Throws InputError where a topology would have more GPUs than one holds.
void check_gpu_count(const HostCount& count);
// Where all NICs of a host are at one leaf. Throws InputError unless a leaf takes whole hosts.
[[nodiscard]] std::uint32_t hosts_per_leaf(const HostCount& count, const NetworkShape& network);

NodeId add_switch(TopologyParts& parts, std::string name);
std::vector<NodeId> add_switches(TopologyParts& parts,
                                 std::string_view prefix,
                                 std::uint32_t count);

void join_nic(TopologyParts& parts, NodeId nic, NodeId leaf, const NetworkShape& network);

// A cable from each of `lower` to each of `upper`.
void join_tiers(TopologyParts& parts,
                std::span<const NodeId> lower,
                std::span<const NodeId> upper,
                Bandwidth bandwidth,
                Duration latency);

// What a leaf sends to each of the spines. All its ports count, with NICs or without: a leaf that
// is not full has the more bandwidth for the NICs that it has.
[[nodiscard]] Bandwidth spine_share(const NetworkShape& network);

[[nodiscard]] constexpr std::uint32_t divided_up(std::uint32_t count, std::uint32_t by) {
  return (count + by - 1) / by;
}

// A way from NIC to NIC through that many switches.
[[nodiscard]] Duration way_latency(const NetworkShape& network, std::uint32_t switches);

}  // namespace epsim
