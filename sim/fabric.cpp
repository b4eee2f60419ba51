#include "sim/fabric.hpp"

#include <utility>

namespace epsim {

Fabric::Fabric(const Topology& topology, const RankRates& rates, bool record_uses)
    : topology_(&topology), record_uses_(record_uses) {
  for (const Link& link : topology.links()) {
    ps_per_byte_.push_back(1e12 / (link.bandwidth.bytes_per_second * rates.link_efficiency));
    latency_.push_back(link.latency);
  }
  free_.resize(ps_per_byte_.size());
  busy_.resize(ps_per_byte_.size());
  bytes_.resize(ps_per_byte_.size());
}

Duration Fabric::route_latency(std::uint32_t source_rank, std::uint32_t target_rank) const {
  Duration total{};
  for (const LinkId link : route(source_rank, target_rank)) total += hop_latency(link);
  return total;
}

void Fabric::report(Timeline& timeline) {
  timeline.link_busy = std::move(busy_);
  timeline.link_bytes = std::move(bytes_);
  timeline.link_uses = std::move(uses_);
}

}  // namespace epsim
