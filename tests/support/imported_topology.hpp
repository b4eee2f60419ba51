// Of tests that import a host: what stands in the topology, and a text with one thing changed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <doctest/doctest.h>

#include "topologies/topology.hpp"

namespace epsim {

inline std::ptrdiff_t count_of(const Topology& topology, NodeKind kind) {
  return std::count_if(topology.nodes().begin(), topology.nodes().end(), [&](const Node& node) {
    return node.kind == kind;
  });
}

inline const Link& link_named(const Topology& topology, const std::string& name) {
  for (std::uint32_t id = 0; id < topology.links().size(); ++id)
    if (topology.link_name(LinkId{id}) == name) return topology.link(LinkId{id});
  FAIL("no link " << name);
  return topology.link(LinkId{0});
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace epsim
