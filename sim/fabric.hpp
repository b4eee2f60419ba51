// Fabric: the links of a topology as first-come-first-served servers of payload bytes.
#pragma once

#include <algorithm>
#include <vector>

#include "models/plan.hpp"
#include "sim/timeline.hpp"
#include "topologies/topology.hpp"

namespace epsim {

class Fabric {
 public:
  Fabric(const Topology& topology, const RankRates& rates, bool record_uses);

  [[nodiscard]] std::span<const LinkId> route(std::uint32_t source_rank,
                                              std::uint32_t target_rank) const {
    return topology_->route(GpuId{source_rank}, GpuId{target_rank});
  }
  [[nodiscard]] Duration hop_latency(LinkId link) const { return latency_[link.index()]; }
  [[nodiscard]] Duration route_latency(std::uint32_t source_rank, std::uint32_t target_rank) const;

  // The last of `size` bytes reaches the link at `tail`; answers when it has left it. The link is
  // work-conserving: it is taken for as long as the bytes need at its own rate, so a sender that is
  // slower than the link leaves room for others.
  [[nodiscard]] Instant cross(LinkId link, std::uint32_t size, Instant tail) {
    const std::size_t l = link.index();
    const Duration occupied{static_cast<std::int64_t>(static_cast<double>(size) * ps_per_byte_[l]) +
                            1};
    const Instant begin = std::max(free_[l], tail - occupied);
    free_[l] = begin + occupied;
    busy_[l] += occupied;
    bytes_[l].count += size;
    if (record_uses_) uses_.push_back({link, begin, free_[l]});
    return free_[l];
  }

  void report(Timeline& timeline);

 private:
  const Topology* topology_;
  bool record_uses_;
  std::vector<double> ps_per_byte_;
  std::vector<Duration> latency_;
  std::vector<Instant> free_;
  std::vector<Duration> busy_;
  std::vector<Bytes> bytes_;
  std::vector<LinkUse> uses_;
};

}  // namespace epsim
