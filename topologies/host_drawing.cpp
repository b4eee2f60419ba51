#include "topologies/host_drawing.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace epsim {

NodeId HostDrawing::add(std::string name, NodeKind kind) {
  nodes.push_back({.name = std::move(name), .kind = kind});
  return NodeId{static_cast<std::uint32_t>(nodes.size() - 1)};
}

void HostDrawing::join(NodeId a, NodeId b, Bandwidth bandwidth, LinkKind kind) {
  const auto is_cpu = [&](NodeId id) { return nodes[id.index()].kind == NodeKind::cpu; };
  Link link{.source = a,
            .target = b,
            .bandwidth = bandwidth,
            .latency = kind == LinkKind::nvlink ? kNvlinkLatency
                       : is_cpu(a) || is_cpu(b) ? kCpuLatency
                                                : kPcieLatency,
            .kind = kind};
  links.push_back(link);
  std::swap(link.source, link.target);
  links.push_back(link);
}

void HostDrawing::join_switch(NodeId gpu_node, NodeId nvswitch, Bandwidth bandwidth) {
  join(gpu_node, nvswitch, bandwidth, LinkKind::nvlink);
  links.back().sharing = LinkSharing::fair;
}

std::optional<Bandwidth> pcie_bandwidth(double gigatransfers, int lanes) {
  // PCI Express Base Specification: 8b/10b at first, then 128b/130b, then flits of 256 bytes of
  // which 236 are packets.
  struct Rate {
    double gigatransfers;
    double share;
  };
  constexpr std::array kRates = {Rate{2.5, 0.8},
                                 Rate{5.0, 0.8},
                                 Rate{8.0, 128.0 / 130.0},
                                 Rate{16.0, 128.0 / 130.0},
                                 Rate{32.0, 128.0 / 130.0},
                                 Rate{64.0, 236.0 / 256.0}};
  constexpr std::array kWidths = {1, 2, 4, 8, 12, 16, 32};
  if (std::find(kWidths.begin(), kWidths.end(), lanes) == kWidths.end()) return std::nullopt;
  for (const Rate& rate : kRates)
    if (std::abs(rate.gigatransfers - gigatransfers) < 1e-6)
      return Bandwidth{std::round(gigatransfers * 1e9 * lanes / 8.0 * rate.share)};
  return std::nullopt;
}

}  // namespace epsim
