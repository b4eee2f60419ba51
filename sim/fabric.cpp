#include "sim/fabric.hpp"

#include <algorithm>
#include <utility>

namespace epsim {

namespace {

double efficiency(LinkKind kind, const Plan& plan) {
  switch (kind) {
    case LinkKind::nvlink:
      return plan.rates.link_efficiency;
    case LinkKind::rdma:
      return plan.nic.wire_efficiency;
    case LinkKind::pcie:
    case LinkKind::c2c:
      break;
  }
  return plan.nic.pcie_efficiency;
}

}  // namespace

Fabric::Fabric(const Topology& topology, const Plan& plan, bool record_uses)
    : topology_(&topology), route_links_(topology.route_links()), record_uses_(record_uses) {
  for (const Link& link : topology.links()) {
    const double rate = link.bandwidth.bytes_per_second * efficiency(link.kind, plan);
    links_.push_back(
        {.free = {}, .ps_per_byte = 1e12 / rate, .latency = link.latency, .busy = {}, .bytes = 0});
  }
}

Duration Fabric::route_latency(std::uint32_t source_rank, std::uint32_t target_rank) const {
  Duration total{};
  const RouteRange range = route(source_rank, target_rank);
  for (std::uint32_t position = range.begin; position < range.end; ++position)
    total += links_[route_links_[position].index()].latency;
  return total;
}

Instant Fabric::queued_until(std::uint32_t source_rank) const {
  Instant until{};
  for (std::uint32_t target = 0; target < topology_->gpu_count(); ++target) {
    const RouteRange range = route(source_rank, target);
    if (range.begin != range.end)
      until = std::max(until, links_[route_links_[range.begin].index()].free);
  }
  return until;
}

void Fabric::account(RouteRange route, std::uint32_t size, Instant now) {
  for (std::uint32_t position = route.begin; position < route.end; ++position) {
    State& link = links_[route_links_[position].index()];
    const Duration occupied{static_cast<std::int64_t>(size * link.ps_per_byte)};
    link.busy += occupied;
    link.bytes += size;
    if (record_uses_) uses_.push_back({route_links_[position], now - occupied, now});
  }
}

std::vector<Bandwidth> Fabric::payload_rates() const {
  std::vector<Bandwidth> rates;
  for (const State& link : links_) rates.push_back(Bandwidth{1e12 / link.ps_per_byte});
  return rates;
}

void Fabric::report(Timeline& timeline) {
  for (const State& link : links_) {
    timeline.link_busy.push_back(link.busy);
    timeline.link_bytes.push_back(Bytes{link.bytes});
  }
  timeline.link_uses = std::move(uses_);
}

}  // namespace epsim
