#include "topologies/topology_cables.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

// From a GPU outwards.
int distance_of(NodeKind kind) {
  constexpr std::array<int, kNodeKindNames.size()> kDistances = {0, 1, 4, 5, 3, 2};
  return kDistances[static_cast<std::size_t>(kind)];
}

// The latencies of links alike but for them, there and back, in order of their ids.
struct Directions {
  std::vector<Duration> there;
  std::vector<Duration> back;
};

void add_cable(std::vector<Cable>& cables, const Cable& cable) {
  const bool is_known = !cables.empty() && cables.back().source == cable.source &&
                        cables.back().target == cable.target && cables.back().kind == cable.kind &&
                        cables.back().bandwidth == cable.bandwidth &&
                        cables.back().latency == cable.latency &&
                        cables.back().latency_back == cable.latency_back &&
                        cables.back().is_one_way == cable.is_one_way;
  if (is_known)
    ++cables.back().count;
  else
    cables.push_back(cable);
}

}  // namespace

std::vector<Cable> cables_of(const Topology& topology) {
  using Key = std::tuple<std::uint32_t, std::uint32_t, LinkKind, double>;
  std::map<Key, Directions> links;
  for (const Link& link : topology.links()) {
    const auto place = [&](NodeId id) {
      return std::pair(distance_of(topology.node(id).kind), id);
    };
    const bool is_there = place(link.source) < place(link.target);
    const NodeId near = is_there ? link.source : link.target;
    const NodeId far = is_there ? link.target : link.source;
    Directions& directions =
        links[{near.value, far.value, link.kind, link.bandwidth.bytes_per_second}];
    (is_there ? directions.there : directions.back).push_back(link.latency);
  }
  std::vector<Cable> cables;
  for (const auto& [key, directions] : links) {
    const auto& [near, far, kind, rate] = key;
    const auto& [there, back] = directions;
    for (std::size_t i = 0; i < std::max(there.size(), back.size()); ++i) {
      Cable cable{.source = NodeId{near},
                  .target = NodeId{far},
                  .kind = kind,
                  .bandwidth = Bandwidth{rate},
                  .latency = i < there.size() ? there[i] : back[i],
                  .latency_back = i < back.size() ? back[i] : there[i],
                  .is_one_way = i >= there.size() || i >= back.size()};
      if (i >= there.size()) std::swap(cable.source, cable.target);
      add_cable(cables, cable);
    }
  }
  return cables;
}

std::string cable_text(const Cable& cable) {
  std::string rate = to_text(cable.bandwidth);
  const double gigabits = cable.bandwidth.bytes_per_second * 8e-9;
  if (cable.kind == LinkKind::rdma && gigabits <= 800)
    rate += fmt::format(" ({:.4g} Gbit/s)", gigabits);
  const std::string there = to_text(cable.latency);
  if (cable.is_one_way) return fmt::format("{} one way, {}", rate, there);
  if (cable.latency == cable.latency_back) return fmt::format("{} each way, {}", rate, there);
  return fmt::format("{} each way, {} up, {} down", rate, there, to_text(cable.latency_back));
}

std::string_view words_of(LinkKind kind) {
  constexpr std::array<std::string_view, kLinkKindNames.size()> kWords = {
      "NVLink", "PCIe", "RDMA", "NVLink-C2C"};
  return kWords[static_cast<std::size_t>(kind)];
}

}  // namespace epsim
