// profiler_time: moments and lengths as profilers write them into JSON, exact to the nanosecond
// that their clocks count.
//
// Microseconds since 1970 with three decimals have 19 digits, three more than a double holds, so
// the decimal text itself is read. More decimals than a nanosecond has come from a tool that wrote
// the dump again; they are rounded, halves away from zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace epsim {

enum class ProfilerUnit : std::uint8_t { microsecond, nanosecond };

// Reads a JSON number, or one in quotes. Nothing for NaN, infinities, what is no number, and what
// is beyond 2^62 ns (146 years) either way.
[[nodiscard]] std::optional<std::int64_t> read_nanoseconds(std::string_view text,
                                                           ProfilerUnit unit);

// The unit of a moment, and so of the whole event: microseconds by the format. Some tools write
// nanoseconds: read as microseconds these would lie more than 3000 years after 1970.
[[nodiscard]] ProfilerUnit unit_of_moment(std::string_view text);

}  // namespace epsim
