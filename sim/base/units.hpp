// Units: time, bytes and bandwidth as types that refuse to be mixed up.
//
// Time is std::chrono counting whole picoseconds: at 450 GB/s one byte takes 2.2 ps, so a
// nanosecond clock would lose whole bytes. One dimension has one type; a unit is named only
// where a number comes in or goes out.
#pragma once

#include <chrono>
#include <cmath>
#include <compare>
#include <cstdint>

#include "sim/base/check.hpp"

namespace epsim {

struct SimClock {
  using rep = std::int64_t;
  using period = std::pico;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<SimClock>;
  static constexpr bool is_steady = true;
};
using Duration = SimClock::duration;   // a length of simulated time
using Instant = SimClock::time_point;  // a moment of simulated time; Instant{} is the start

struct Bytes {
  std::int64_t count = 0;
  constexpr auto operator<=>(const Bytes&) const = default;
};

struct Bandwidth {
  double bytes_per_second = 0.0;
  constexpr auto operator<=>(const Bandwidth&) const = default;
};

// Time to push `size` through `rate`, rounded up: rounding down would let a long chain of hops
// finish before physics allows.
inline Duration operator/(Bytes size, Bandwidth rate) {
  check(rate.bytes_per_second > 0, "a bandwidth that carries bytes is above zero");
  return Duration{
      std::llround(std::ceil(static_cast<double>(size.count) * 1e12 / rate.bytes_per_second))};
}

// Borders: a number of a named unit in, a number of a named unit out. Halves round away from zero.
[[nodiscard]] inline Duration from_us(double us) {
  return Duration{std::llround(us * 1e6)};
}
[[nodiscard]] inline Duration from_ns(double ns) {
  return Duration{std::llround(ns * 1e3)};
}
[[nodiscard]] constexpr double to_us(Duration length) {
  return static_cast<double>(length.count()) / 1e6;
}
[[nodiscard]] constexpr double to_ns(Duration length) {
  return static_cast<double>(length.count()) / 1e3;
}

}  // namespace epsim
