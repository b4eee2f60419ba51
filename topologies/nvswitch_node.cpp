// nvswitch_node: GPUs that each have one cable to one switch. What they have to contend for is a
// GPU's own two link directions.
#include <cstdint>
#include <utility>

#include "topologies/finished_topology.hpp"
#include "topologies/host_parts.hpp"
#include "topologies/registry.hpp"

namespace epsim {

Topology build_nvswitch_node(TopologySpec& spec) {
  TopologyParts parts = spec.common_parts();
  const auto gpu_count = static_cast<std::uint32_t>(
      spec.parameter("gpus").integer_in(1, static_cast<std::int64_t>(kMostGpus)));
  add_nvlink_plane(parts, "", read_nvlink(spec, gpu_count));
  return finished_topology(spec, std::move(parts));
}

}  // namespace epsim
