// Ids: an index that knows what it is an index of, so that a rank never addresses an expert.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace epsim {

template <typename Tag>
struct Id {
  std::uint32_t value = 0;
  constexpr auto operator<=>(const Id&) const = default;
  // For indexing a vector that holds one entry an id.
  [[nodiscard]] constexpr std::size_t index() const { return value; }
};

using NodeId = Id<struct NodeTag>;          // a vertex of a topology
using LinkId = Id<struct LinkTag>;          // one direction of one cable
using RankId = Id<struct RankTag>;          // a member of the expert-parallel group
using ExpertId = Id<struct ExpertTag>;      // a global expert
using AgentId = Id<struct AgentTag>;        // a sequential actor of a plan
using FlagId = Id<struct FlagTag>;          // a counter that agents wait for
using ResourceId = Id<struct ResourceTag>;  // something that serves bytes

}  // namespace epsim
