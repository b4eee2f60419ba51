// Folded topology: one host that stands for all of a fabric whose hosts are alike. Its NICs meet in
// one switch that stands for everything between hosts.
//
// What goes to another host leaves by the sender's NIC and comes back in by the NIC of the GPU that
// stands for its target. The way takes as long as ways between hosts take on average, and a NIC
// sends no faster than its share of the tiers above the leaves.
#pragma once

#include <cstdint>

#include "topologies/host_parts.hpp"
#include "topologies/network_parts.hpp"
#include "topologies/topology.hpp"
#include "topologies/topology_spec.hpp"

namespace epsim {

struct FoldedParts {
  TopologyParts parts;
  std::uint32_t hosts = 0;
  std::uint32_t gpus_per_host = 0;
};

// The pairs of GPUs of different hosts by what joins them; shares of all such pairs.
struct PairShares {
  double leaf = 0;       // one leaf has both NICs
  double pod = 0;        // two leaves under the same spines
  double leaf_fill = 1;  // beside them: NICs at a leaf over its ports
  [[nodiscard]] double beyond() const { return 1 - leaf - pod; }  // under different spines
};

// Of the hosts, `hosts_per_leaf` have their NICs of a kind at one leaf. Throws InputError when the
// last leaf would have fewer: its hosts are not like the others.
[[nodiscard]] double same_leaf_share(const HostCount& count, std::uint32_t hosts_per_leaf);

// How full leaves are for that many hosts, or trays.
[[nodiscard]] constexpr double leaf_fill(std::uint32_t there, std::uint32_t of_leaf) {
  return there < of_leaf ? static_cast<double>(there) / of_leaf : 1.0;
}

// Throws InputError for what makes hosts unlike: failed links, ECMP, a single GPU.
[[nodiscard]] FoldedParts fold_host(TopologySpec& spec,
                                    TopologyParts parts,
                                    const HostCount& count,
                                    const NvlinkShape& nvlink,
                                    const NicPathShape& path,
                                    const NetworkShape& network,
                                    const PairShares& pairs);

}  // namespace epsim
