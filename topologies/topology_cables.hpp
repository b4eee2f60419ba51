// Cables: the links of a topology as a person counts them, both directions as one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "topologies/topology.hpp"

namespace epsim {

// `count` cables alike between two nodes. The source is the end nearer to a GPU by its kind, of
// equal kinds the lower id; of a cable that runs one way it is the sender.
struct Cable {
  NodeId source;
  NodeId target;
  LinkKind kind = LinkKind::nvlink;
  Bandwidth bandwidth;  // each way
  Duration latency{};   // from the source to the target
  Duration latency_back{};
  bool is_one_way = false;
  std::size_t count = 1;
};

// In order of their ends.
[[nodiscard]] std::vector<Cable> cables_of(const Topology& topology);

// "450.0 GB/s each way, 250.0 ns"; the rate of a NIC in Gbit/s too, as it is sold.
[[nodiscard]] std::string cable_text(const Cable& cable);

// As people write them: "NVLink", "PCIe", "RDMA", "NVLink-C2C".
[[nodiscard]] std::string_view words_of(LinkKind kind);

}  // namespace epsim
