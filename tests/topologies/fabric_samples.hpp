// Fabric samples: presets made small, and what tests ask of their ways.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "topologies/registry.hpp"

namespace epsim::samples {

inline JsonObject overrides(const std::string& text) {
  return JsonDocument::parse(text, "scenario.json").root().object();
}

inline Topology fabric(std::string_view preset, const std::string& override_text) {
  return load_topology(preset, overrides(override_text)).topology;
}

inline std::vector<std::string> names_of(const Topology& topology, std::span<const LinkId> links) {
  std::vector<std::string> names;
  for (const LinkId id : links) names.push_back(topology.link_name(id));
  return names;
}

inline std::vector<std::string> route(const Topology& topology, std::uint32_t a, std::uint32_t b) {
  return names_of(topology, topology.route(GpuId{a}, GpuId{b}));
}

inline NodeId node_named(const Topology& topology, std::string_view name) {
  const auto found = std::find_if(topology.nodes().begin(),
                                  topology.nodes().end(),
                                  [&](const Node& node) { return node.name == name; });
  return NodeId{static_cast<std::uint32_t>(found - topology.nodes().begin())};
}

// The links by which a message at a node may go on towards a GPU.
inline std::vector<std::string> ways_on(const Topology& topology,
                                        std::string_view at,
                                        std::uint32_t gpu) {
  return names_of(topology, topology.network_links(node_named(topology, at), GpuId{gpu}));
}

// What the network takes from one GPU to another, on the first of equally short ways.
inline Duration network_latency(const Topology& topology, std::uint32_t a, std::uint32_t b) {
  Duration total{};
  NodeId at = topology.gpu(GpuId{a});
  while (at != topology.gpu(GpuId{b})) {
    const auto ways = topology.network_links(at, GpuId{b});
    if (ways.empty()) return Duration{-1};
    total += topology.link(ways[0]).latency;
    at = topology.link(ways[0]).target;
  }
  return total;
}

using Names = std::vector<std::string>;

}  // namespace epsim::samples
