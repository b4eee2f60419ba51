#include "cli/sized_topologies.hpp"

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "topologies/registry.hpp"

namespace epsim {

std::uint32_t hosts_of(const Observation& observation) {
  const std::uint32_t node = observation.gpus_per_node;
  return node == 0 ? 0 : (observation.ranks + node - 1) / node;
}

std::shared_ptr<const Topology> SizedTopologies::find(const std::string& preset,
                                                      const Observation& observation) {
  auto known = has_hosts_.find(preset);
  if (known == has_hosts_.end())
    known = has_hosts_.emplace(preset, has_parameter(preset, "hosts")).first;
  const std::uint32_t hosts = known->second ? hosts_of(observation) : 0;
  std::shared_ptr<const Topology>& topology = built_[{preset, hosts}];
  if (!topology) {
    std::optional<JsonObject> overrides;
    if (hosts > 0)
      overrides = JsonDocument::parse(fmt::format("{{\"hosts\": {}}}", hosts), observation.id)
                      .root()
                      .object();
    topology =
        std::make_shared<const Topology>(load_topology(preset, std::move(overrides)).topology);
  }
  // Ranks are laid on GPUs in a row: on hosts of another size they would have other neighbours.
  if (hosts > 1 && topology->gpu_count() != std::size_t{hosts} * observation.gpus_per_node)
    throw InputError(observation.id,
                     "gpus_per_node",
                     fmt::format("expected {}, as {} has on a host, found {}",
                                 topology->gpu_count() / hosts,
                                 preset,
                                 observation.gpus_per_node));
  return topology;
}

}  // namespace epsim
