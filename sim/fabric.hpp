// Fabric: the links of a topology as first-come-first-served servers of payload bytes, each at the
// payload rate of its kind.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "models/plan.hpp"
#include "sim/timeline.hpp"
#include "topologies/topology.hpp"

namespace epsim {

class Fabric {
 public:
  Fabric(const Topology& topology, const Plan& plan, bool record_uses);

  [[nodiscard]] RouteRange route(std::uint32_t source_rank, std::uint32_t target_rank) const {
    return topology_->route_range(GpuId{source_rank}, GpuId{target_rank});
  }
  [[nodiscard]] Duration route_latency(std::uint32_t source_rank, std::uint32_t target_rank) const;

  struct Crossing {
    Instant left;     // the last byte has left the sender's end
    Instant arrived;  // and reached the far end
  };

  // `size` bytes reach a link between `head` and `tail`; `position` is the link's in the topology's
  // routes. The link is work-conserving: it is taken for as long as the bytes need at its own rate,
  // so a sender that is slower than the link leaves room for others.
  [[nodiscard]] Crossing cross(std::uint32_t position,
                               std::uint32_t size,
                               Instant head,
                               Instant tail) {
    return cross(route_links_[position], size, head, tail);
  }
  [[nodiscard]] Crossing cross(LinkId id, std::uint32_t size, Instant head, Instant tail) {
    State& link = links_[id.index()];
    const Duration occupied = occupancy(link, size);
    const Instant begin = std::max({link.free, head, tail - occupied});
    link.free = begin + occupied;
    link.busy += occupied;
    link.bytes += size;
    if (record_uses_) uses_.push_back({id, begin, link.free});
    return {link.free, link.free + link.latency};
  }
  // A piece that has just crossed the link before `position` reaches that one.
  [[nodiscard]] Crossing cross_next(std::uint32_t position, std::uint32_t size, Instant tail) {
    const Instant head = tail - occupancy(links_[route_links_[position - 1].index()], size);
    return cross(position, size, head, tail);
  }

  // How long a link is taken by so many bytes.
  [[nodiscard]] Duration occupancy(LinkId id, std::uint32_t size) const {
    return occupancy(links_[id.index()], size);
  }
  // The link of a set that is free first; of equals the one with the lowest id.
  [[nodiscard]] LinkId first_free(std::span<const LinkId> links) const {
    return *std::min_element(links.begin(), links.end(), [&](LinkId a, LinkId b) {
      return links_[a.index()].free < links_[b.index()].free;
    });
  }

  // When all that has come so far to the links that leave a rank's GPU has left them.
  [[nodiscard]] Instant queued_until(std::uint32_t source_rank) const;

  // A message that crossed all links of a route as a flow and has left the last one now.
  void account(RouteRange route, std::uint32_t size, Instant now);
  // Payload rates of all links, as capacities of a fluid network.
  [[nodiscard]] std::vector<Bandwidth> payload_rates() const;
  [[nodiscard]] LinkId link_at(std::uint32_t position) const { return route_links_[position]; }

  void report(Timeline& timeline);

 private:
  struct State {
    Instant free;
    double ps_per_byte;
    Duration latency;
    Duration busy;
    std::int64_t bytes;
  };

  [[nodiscard]] static Duration occupancy(const State& link, std::uint32_t size) {
    return Duration{static_cast<std::int64_t>(size * link.ps_per_byte) + 1};
  }

  const Topology* topology_;
  std::span<const LinkId> route_links_;
  bool record_uses_;
  std::vector<State> links_;
  std::vector<LinkUse> uses_;
};

}  // namespace epsim
