// Quantity text: "450 GB/s", "1.1 us", "7168 B" to units and back. A number without a unit is an
// error that names the units it could have had.
#pragma once

#include <string>
#include <string_view>

#include "sim/base/units.hpp"

namespace epsim {

// Each throws std::invalid_argument with a sentence for the reader of the terminal.
// Times: ps ns us ms s min. Sizes: B kB MB GB (powers of 1000), KiB MiB GiB. Rates: B/s kB/s MB/s
// GB/s TB/s Gbit/s. Which values make sense, such as none below zero, is for the reader of a file
// to say.
[[nodiscard]] Duration parse_duration(std::string_view text);
[[nodiscard]] Bytes parse_bytes(std::string_view text);
[[nodiscard]] Bandwidth parse_bandwidth(std::string_view text);

// Three significant digits or more, in the unit a person would choose: "48.2 us", "14.3 kB".
[[nodiscard]] std::string to_text(Duration length);
[[nodiscard]] std::string to_text(Bytes size);
[[nodiscard]] std::string to_text(Bandwidth rate);

// Exact text that parses back to the same value: "1100 ns", "450 GB/s".
[[nodiscard]] std::string to_exact_text(Duration length);
[[nodiscard]] std::string to_exact_text(Bandwidth rate);

}  // namespace epsim
