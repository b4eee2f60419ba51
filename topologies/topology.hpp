// Topology: who is connected by what. Nodes, one-way links, and a shortest route for every pair of
// GPUs.
//
// A value: built once, checked whole, never changed, so threads may share it. A cable is two links,
// because both directions carry traffic at once. GPUs send and receive; they never forward. The
// only door to Boost.Graph.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace epsim {

using GpuId = Id<struct GpuTag>;  // the n-th GPU of a topology, in order of its nodes

enum class NodeKind { gpu, nvswitch, nic, network_switch, cpu, pcie_switch };
enum class LinkKind { nvlink, pcie, rdma, c2c };
// How messages that meet on a link share it: one after the other, or all at once at equal rates.
enum class LinkSharing { fifo, fair };

// How switches choose among equally short ways: the link that is free first, message by message, or
// one that a hash of the queue pair picks (ECMP), so that flows may collide.
enum class NetworkRouting { adaptive, ecmp };

// Names as files write them, in the order of the enums.
inline constexpr std::array<std::string_view, 6> kNodeKindNames = {
    "gpu", "nvswitch", "nic", "network_switch", "cpu", "pcie_switch"};
inline constexpr std::array<std::string_view, 2> kNetworkRoutingNames = {"adaptive", "ecmp"};
inline constexpr std::array<std::string_view, 4> kLinkKindNames = {"nvlink", "pcie", "rdma", "c2c"};
inline constexpr std::array<std::string_view, 2> kLinkSharingNames = {"fifo", "fair"};

[[nodiscard]] constexpr std::string_view name_of(NodeKind kind) {
  return kNodeKindNames[static_cast<std::size_t>(kind)];
}
[[nodiscard]] constexpr std::string_view name_of(LinkKind kind) {
  return kLinkKindNames[static_cast<std::size_t>(kind)];
}
[[nodiscard]] constexpr std::string_view name_of(LinkSharing sharing) {
  return kLinkSharingNames[static_cast<std::size_t>(sharing)];
}

struct Node {
  std::string name;
  NodeKind kind = NodeKind::gpu;
  bool operator==(const Node&) const = default;
};

struct Link {
  NodeId source;
  NodeId target;
  Bandwidth bandwidth;  // this direction only
  Duration latency{};   // of the empty link, the switch at its end included
  LinkKind kind = LinkKind::nvlink;
  LinkSharing sharing = LinkSharing::fifo;
  bool operator==(const Link&) const = default;
};

// What every GPU of the topology is. Datasheet facts; what was measured is in the calibration.
struct GpuSpec {
  std::string model;
  int sm_count = 0;
  Bandwidth hbm_bandwidth;
  Bytes hbm_capacity;
  Bytes l2_size;
  bool operator==(const GpuSpec&) const = default;
};

// What a builder states; Topology adds the routes.
struct TopologyParts {
  std::string file;  // where it was read from, for messages
  std::string name;
  std::string description;
  std::vector<std::string> sources;  // where the numbers come from
  GpuSpec gpu;
  std::vector<Node> nodes;  // NodeId is the index
  std::vector<Link> links;  // LinkId is the index
  NetworkRouting routing = NetworkRouting::adaptive;
};

struct RouteRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

// Routes are kept for every pair, so their number is bounded.
inline constexpr std::size_t kMostGpus = 2048;

class Topology {
 public:
  // Throws InputError, naming parts.file, when there is no GPU or one cannot reach another; Bug
  // when a link has no ends, no bandwidth or runs back in time, which a reader must refuse first.
  explicit Topology(TopologyParts parts);

  [[nodiscard]] const std::string& name() const { return parts_.name; }
  [[nodiscard]] const std::string& description() const { return parts_.description; }
  [[nodiscard]] std::span<const std::string> sources() const { return parts_.sources; }
  [[nodiscard]] const GpuSpec& gpu_spec() const { return parts_.gpu; }

  [[nodiscard]] std::span<const Node> nodes() const { return parts_.nodes; }
  [[nodiscard]] std::span<const Link> links() const { return parts_.links; }
  [[nodiscard]] const Node& node(NodeId id) const;
  [[nodiscard]] const Link& link(LinkId id) const;
  [[nodiscard]] std::string link_name(LinkId id) const;  // "gpu3->nvswitch0"

  [[nodiscard]] std::size_t gpu_count() const { return gpus_.size(); }
  [[nodiscard]] NodeId gpu(GpuId id) const;

  // The links from one GPU to another: least latency, then fewest links, then lowest link ids. No
  // links from a GPU to itself.
  [[nodiscard]] std::span<const LinkId> route(GpuId source, GpuId target) const;
  // The same as positions in route_links(), for those who keep many routes in mind.
  [[nodiscard]] RouteRange route_range(GpuId source, GpuId target) const;
  [[nodiscard]] std::span<const LinkId> route_links() const { return route_links_; }
  [[nodiscard]] Duration route_latency(GpuId source, GpuId target) const;
  // Of the slowest link on the way. A GPU has no route bandwidth to itself.
  [[nodiscard]] Bandwidth route_bandwidth(GpuId source, GpuId target) const;

  // The network: what NICs reach, without NVLink.
  [[nodiscard]] bool has_network() const { return has_network_; }
  [[nodiscard]] NetworkRouting network_routing() const { return parts_.routing; }
  // The links by which a message at `node` may go on towards a GPU, all equally short; in order of
  // their ids. Empty where the network does not lead there.
  [[nodiscard]] std::span<const LinkId> network_links(NodeId node, GpuId target) const;
  // GPUs that reach each other by NVLink alone share a domain: a host, or a rack of NVL72. Domains
  // are numbered in the order of their first GPUs.
  [[nodiscard]] std::uint32_t nvlink_domain(GpuId gpu) const { return domains_[gpu.index()]; }
  [[nodiscard]] std::uint32_t nvlink_domain_count() const { return domain_count_; }

  // What the first half of the GPUs can send to the second half at once: the maximum flow. GPUs are
  // numbered node by node, so that this is the cut that a collective meets.
  [[nodiscard]] Bandwidth bisection_bandwidth() const;

 private:
  void compute_routes();
  void compute_domains();
  void compute_network_links();

  TopologyParts parts_;
  std::vector<NodeId> gpus_;
  std::vector<LinkId> route_links_;          // all routes, one after the other
  std::vector<std::uint32_t> route_starts_;  // of source * gpu_count + target, and the end
  bool has_network_ = false;
  std::uint32_t domain_count_ = 0;
  std::vector<std::uint32_t> domains_;         // by GPU
  std::vector<LinkId> link_groups_;            // all sets of equally short links
  std::vector<std::uint32_t> group_ends_;      // of set n; set 0 is empty
  std::vector<std::uint32_t> network_groups_;  // set of node * gpu_count + target
};

}  // namespace epsim
