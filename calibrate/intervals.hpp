// Intervals of time: how long some kernels ran, however they overlap each other, and how long some
// ran while others did.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace epsim {

// From start up to, but without, end. Empty when they are equal.
struct Interval {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  friend bool operator==(const Interval&, const Interval&) = default;
};

// The same moments, as few disjoint intervals in order. Throws Bug when one ends before it starts.
[[nodiscard]] std::vector<Interval> united(std::span<const Interval> intervals);

// The moments in both.
[[nodiscard]] std::vector<Interval> intersection(std::span<const Interval> a,
                                                 std::span<const Interval> b);

// Time in which at least one of them lasts.
[[nodiscard]] std::int64_t united_length(std::span<const Interval> intervals);

// Holistic Trace Analysis' overlap: the share of communication's time in which compute runs too,
// per cent. 0 without communication.
[[nodiscard]] double overlap_percent(std::span<const Interval> communication,
                                     std::span<const Interval> compute);

}  // namespace epsim
