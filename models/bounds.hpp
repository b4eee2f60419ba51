// Bounds: how fast a plan could be at best, in closed form. No clock runs and nothing queues.
//
// Whatever order things happen in, a resource is busy for all the work it is given. It cannot begin
// before its first client could have reached it, and when it ends some client still has the rest of
// its own work to do (the bound of the one-machine problem, Carlier 1982):
//   latency >= head + busy + tail
//   head   least time from the launch until any client can use the resource
//   busy   bytes / rate, or an SM's copy path: a time a message and a byte
//   tail   least own time that any client has left after its last use
// An agent is such a resource with one client: its operations one after the other. Times that only
// other agents decide (flags, barriers, shared rates) count nothing, so the bound always holds.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "models/plan.hpp"
#include "sim/base/units.hpp"
#include "topologies/topology.hpp"

namespace epsim {

enum class BoundKind : std::uint8_t { agent, sm, memory, link };
inline constexpr std::array<std::string_view, 4> kBoundKindNames = {
    "agent", "SM", "memory", "link"};

struct Bound {
  BoundKind kind;
  std::uint32_t index;  // of the agent, CTA, rank or link that binds; the first of equals
  Duration latency;     // as Prediction::latency: from the last rank's start
  Duration busy;        // the part of it in which the resource works
  Bytes bytes{};        // that pass it; none for an agent
};

struct Bounds {
  std::array<Bound, 4> of_kind;  // by BoundKind; zero where the plan does not use the kind
  [[nodiscard]] const Bound& of(BoundKind kind) const {
    return of_kind[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] const Bound& tightest() const;
};

// Rank r of the plan runs on GPU r of the topology.
[[nodiscard]] Bounds bounds_of(const Plan& plan, const Topology& topology);

// Where the resource is: "gpu3->nvswitch0", "gpu3", "gpu3 CTA 17", "load warp of gpu3".
[[nodiscard]] std::string place_of(const Bound& bound, const Plan& plan, const Topology& topology);
// The kind before it: "link gpu3->nvswitch0", "memory gpu3", "SM gpu3 CTA 17".
[[nodiscard]] std::string name_of(const Bound& bound, const Plan& plan, const Topology& topology);

}  // namespace epsim
