// FluidNetwork: flows that each cross several resources (an egress port, an ingress port, a spine
// link), at rates that are max-min fair.
//
// The system. Flow f has a rate x_f > 0, perhaps a cap u_f, and a path P_f of resources; resource r
// has a capacity C_r. The rates obey
//   for every resource r:   sum over {f : r in P_f} of x_f  <=  C_r
//   for every flow f:       x_f <= u_f
// and are the ones for which the smallest x_f is as large as it can be, then the second smallest,
// and so on (the lexicographic maximum of the sorted rates; there is exactly one).
//
// When it is reached. Every flow either runs at its cap, or has a bottleneck: a resource on its
// path that is full and on which no flow is faster. This is necessary and sufficient (Bertsekas and
// Gallager, Data Networks, section 6.5.2), so it is what the tests check.
//
// How it is reached. Progressive filling: all rates rise together from zero; the resource with the
// least capacity left per unfrozen flow fills first, and freezes its flows at that level. A fair
// share never falls while others freeze, so a heap of resources with shares that may be out of date
// is enough: O(sum of path lengths + resources * log resources) in all but contrived cases.
//
// How little is solved again. When flows come or go, only flows that had their bottleneck where
// something changed are solved anew, in the capacity that all others leave. Then the condition is
// checked where these meet: a flow outside keeps its rate while its bottleneck is still full and
// still has no faster flow, else it joins and the solve is repeated. What passes the check
// satisfies the condition everywhere, so it is the optimum, not an approximation of it. Once the
// solve has spread to an eighth of the flows it takes in all that filling could treat differently,
// those at or above the least level at which something changed, and need not check any more.
//
// Exactness. Rates are whole multiples of 2^-16 B/s: sums are exact in any order, and no resource
// is ever above its capacity, not by one unit. Levels closer than 2^-33 are one level, so symmetric
// flows get equal rates. All changes of one instant are solved once. Time is rounded as in
// SharedServer: a finish is never early and less than 1 ps late.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sim/base/check.hpp"
#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/shared_server.hpp"

namespace epsim {

inline constexpr double kRateUnits = 65536.0;  // whole units of rate in a byte per second

using FlowId = Id<struct FlowTag>;  // a flow under way; used again after it has finished

class FluidNetwork {
 public:
  // Resource i has capacities[i].
  explicit FluidNetwork(std::span<const Bandwidth> capacities);

  // `client` is the caller's name for the flow; it comes back from complete(). A path names at
  // least one resource, and none twice. Time passes only through start() and complete(), and never
  // beyond next_completion().
  FlowId start(Instant now,
               std::uint32_t client,
               std::span<const ResourceId> path,
               Bytes size,
               Bandwidth cap = kUncapped);

  // When the next flow finishes if no other comes. Solves what changed since it was last asked.
  [[nodiscard]] std::optional<Instant> next_completion() {
    settle();
    return active_count_ > 0 ? std::optional(next_) : std::nullopt;
  }

  // Changes whenever next_completion() does: an event that carries an older version is stale.
  [[nodiscard]] std::uint64_t version() {
    settle();
    return version_;
  }

  // Appends the clients whose flows finish at `now` to `finished`, in the order they started.
  void complete(Instant now, std::vector<std::uint32_t>& finished);

  // Valid until the flow finishes.
  [[nodiscard]] Bandwidth rate(FlowId flow) {
    settle();
    return {static_cast<double>(rates_[flow.index()]) / kRateUnits};
  }
  // Sum of the rates through a resource.
  [[nodiscard]] Bandwidth load(ResourceId resource) {
    settle();
    return {static_cast<double>(resources_[resource.index()].load) / kRateUnits};
  }

  [[nodiscard]] std::size_t active_count() const { return active_count_; }
  // Work done so far, for benchmarks: solves, and flows whose rate was computed in them.
  [[nodiscard]] std::uint64_t solve_count() const { return solve_count_; }
  [[nodiscard]] std::uint64_t solved_flow_count() const { return solved_flow_count_; }

 private:
  using Rate = std::int64_t;  // in units of 2^-16 B/s

  static constexpr std::size_t kBlock = 32;  // flow slots that share one entry of block_finishes_

  // The cold part of a flow; what a solve reads lies in arrays of its own.
  struct Flow {
    double bytes_left = 0.0;  // at `settled`
    Instant settled{};
    std::uint64_t order = 0;
    std::uint32_t client = 0;
  };
  struct Path {
    std::uint32_t first = 0;  // index into hops_
    std::uint32_t length = 0;
  };
  struct Hop {
    std::uint32_t resource;
    std::uint32_t position;  // in the members of the resource
  };
  struct Member {
    std::uint32_t flow;
    std::uint32_t hop;
  };
  // Of one resource, as the last solve left it.
  struct Resource {
    Rate capacity = 0;
    Rate load = 0;
    Rate level = 0;                 // rate of the flows that have their bottleneck here
    std::uint32_t bound_count = 0;  // how many these are
    bool is_changed = false;        // a flow came or went since
    std::vector<Member> members;
  };
  // Of one resource, during a solve.
  struct Share {
    Rate open = 0;                       // capacity that flows outside the solve leave
    Rate left = 0;                       // of it, not yet given to a flow
    Rate top = 0;                        // fastest rate given here
    Rate level = 0;                      // where the resource filled, or kNotFull
    std::uint32_t solved_count = 0;      // flows in the solve
    std::uint32_t left_count = 0;        // of them, not yet frozen
    std::uint32_t kept_bound_count = 0;  // flows outside the solve with their bottleneck here
  };

  [[nodiscard]] std::uint32_t new_flow(std::span<const ResourceId> path);
  void remove_flow(std::uint32_t flow);
  [[nodiscard]] std::span<const Hop> hops_of(std::uint32_t flow) const {
    return std::span(hops_).subspan(paths_[flow].first, paths_[flow].length);
  }

  void advance(Instant now) {
    check(now >= now_, "time in a network never runs backwards");
    if (now == now_) return;
    settle();
    check(now <= next_, "no completion of a network is passed over");
    now_ = now;
  }
  void settle();
  void include(std::uint32_t flow);
  void include_changed();
  void include_from_floor();
  void fill();
  // The resource in front of the heap gets another share, which is never smaller than before.
  void replace_front(Rate share) {
    const std::pair entry(share, heap_.front().second);
    std::size_t hole = 0;
    for (std::size_t child = 1; child < heap_.size(); child = 2 * hole + 1) {
      if (child + 1 < heap_.size() && heap_[child + 1] < heap_[child]) ++child;
      if (entry < heap_[child]) break;
      heap_[hole] = heap_[child];
      hole = child;
    }
    heap_[hole] = entry;
  }
  void freeze(std::uint32_t flow, Rate rate, std::uint32_t bottleneck);
  [[nodiscard]] bool include_violated();
  void commit();
  void set_finish(std::uint32_t flow, Instant finish) {
    finishes_[flow] = finish;
    const std::size_t block = flow / kBlock;
    if (is_block_stale_[block] != 0) return;
    is_block_stale_[block] = 1;
    stale_blocks_.push_back(static_cast<std::uint32_t>(block));
  }
  void refresh_finishes();

  Instant now_{};
  Instant next_ = Instant::max();
  std::uint64_t version_ = 0;
  std::uint64_t solve_count_ = 0;
  std::uint64_t solved_flow_count_ = 0;
  std::uint64_t next_order_ = 0;
  std::size_t active_count_ = 0;
  bool is_settled_ = true;
  std::uint32_t spread_expected_ = 0;              // so many solves do not try to stay local
  Rate floor_ = std::numeric_limits<Rate>::max();  // rates below it stay as they are

  std::vector<Resource> resources_;
  std::vector<std::uint32_t> changed_;    // resources
  std::vector<std::uint32_t> newcomers_;  // flows without a rate yet

  // One entry a flow slot.
  std::vector<Flow> flows_;
  std::vector<Path> paths_;
  std::vector<Rate> rates_;
  std::vector<Rate> caps_;                  // kNoCap where the path is always narrower
  std::vector<std::uint32_t> bottlenecks_;  // a resource, or kOwnCap
  std::vector<Rate> new_rates_;             // during a solve; kOutside, kUnfrozen or the rate
  std::vector<std::uint32_t> new_bottlenecks_;
  std::vector<Instant> finishes_;

  std::vector<Hop> hops_;
  std::vector<std::uint32_t> free_flows_;
  std::vector<std::vector<std::uint32_t>> free_hops_;  // by length: blocks to use again

  // Least finish of each block of flow slots, and the blocks in which one changed.
  std::vector<Instant> block_finishes_;
  std::vector<std::uint8_t> is_block_stale_;
  std::vector<std::uint32_t> stale_blocks_;

  // Scratch of a solve.
  std::vector<Share> shares_;
  std::vector<std::uint32_t> touched_;                // resources with a flow in the solve
  std::vector<std::uint32_t> solved_;                 // flows in the solve
  std::vector<std::uint32_t> capped_;                 // of them, those with a cap
  std::vector<std::pair<Rate, std::uint32_t>> heap_;  // (fair share, resource), least in front
  std::vector<std::pair<std::uint64_t, std::uint32_t>> leavers_;
};

// A flow to simulate. `path` refers to the caller's memory.
struct FlowRequest {
  std::span<const ResourceId> path;
  Bytes size;
  Instant start{};
  Bandwidth cap = kUncapped;
};

// When each flow has finished if all share the resources. A flow waits `latency` before its first
// byte moves, and uses no resource meanwhile.
[[nodiscard]] std::vector<Instant> simulate_flows(std::span<const Bandwidth> capacities,
                                                  Duration latency,
                                                  std::span<const FlowRequest> flows);

}  // namespace epsim
