// nvswitch_node: GPUs that each have one cable to one switch.
//
// A real node has several NVSwitch chips, and a GPU's links are divided among them; addresses are
// spread over all links, so that together they behave as one switch without a bottleneck inside.
// What is left to contend for is a GPU's own two link directions.
#include <cstdint>
#include <utility>

#include <fmt/format.h>

#include "topologies/registry.hpp"

namespace epsim {

Topology build_nvswitch_node(TopologySpec& spec) {
  TopologyParts parts = spec.common_parts();
  const auto gpu_count = static_cast<std::uint32_t>(
      spec.parameter("gpus").integer_in(1, static_cast<std::int64_t>(kMostGpus)));
  const Bandwidth bandwidth = read_bandwidth(spec.parameter("nvlink_bandwidth"));
  const Duration latency = read_latency(spec.parameter("nvlink_latency"));
  spec.finish();

  for (std::uint32_t i = 0; i < gpu_count; ++i)
    parts.nodes.push_back({.name = fmt::format("gpu{}", i), .kind = NodeKind::gpu});
  parts.nodes.push_back({.name = "nvswitch0", .kind = NodeKind::nvswitch});
  const NodeId nvswitch{gpu_count};
  for (std::uint32_t i = 0; i < gpu_count; ++i) {
    // Up, a GPU sends in the order in which it issues. Down, senders meet and share.
    parts.links.push_back({.source = NodeId{i},
                           .target = nvswitch,
                           .bandwidth = bandwidth,
                           .latency = latency,
                           .kind = LinkKind::nvlink,
                           .sharing = LinkSharing::fifo});
    parts.links.push_back({.source = nvswitch,
                           .target = NodeId{i},
                           .bandwidth = bandwidth,
                           .latency = latency,
                           .kind = LinkKind::nvlink,
                           .sharing = LinkSharing::fair});
  }
  return Topology(std::move(parts));
}

}  // namespace epsim
