// TopologyElision: how much of a topology a picture shows, and how wide that makes it.
#pragma once

#include <cstddef>
#include <vector>

#include "topologies/topology_layers.hpp"

namespace epsim {

// Of `count` things the first `first` and the last `last` are shown, with a mark between them if
// any are left out.
struct Shown {
  std::size_t first = 0;
  std::size_t last = 0;
  std::size_t count = 0;
  [[nodiscard]] std::size_t hidden() const { return count - first - last; }
};

// Leaves out one alone only of three: else a mark would just take its place. `most` is at least 2.
[[nodiscard]] Shown show_most(std::size_t count, std::size_t most);

struct TopologyElision {
  std::size_t domains = 0;  // at most so many of each are shown
  std::size_t hosts = 0;    // in a domain
  std::size_t nodes = 0;    // in one row of a host
  double cell = 0;          // width of a GPU and the gap beside it
};

inline constexpr double kDrawingWidth = 1080;  // without the names of the layers
inline constexpr double kMarkWidth = 104;      // that stands for hosts

// Room between hosts, and within a frame.
[[nodiscard]] double host_gap(const TopologyElision& elision);
[[nodiscard]] double padding(const TopologyElision& elision);
[[nodiscard]] double host_width(const Topology& topology,
                                const DrawnHost& host,
                                const TopologyElision& elision);
// Frame included, if several domains or hosts make one necessary.
[[nodiscard]] double domain_width(const Topology& topology,
                                  const TopologyLayers& layers,
                                  const DrawnDomain& domain,
                                  const TopologyElision& elision);
[[nodiscard]] double hosts_width(const Topology& topology,
                                 const TopologyLayers& layers,
                                 const TopologyElision& elision);
[[nodiscard]] bool is_framed(const DrawnDomain& domain);

[[nodiscard]] TopologyElision elide(const Topology& topology, const TopologyLayers& layers);

}  // namespace epsim
