// Stream strip: what a GPU's streams did over time, drawn in a terminal: one row a stream, one
// character a slice of time. The upper half of a character is communication and the lower compute;
// its left and right are the halves of the slice.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "traces/gpu_trace.hpp"
#include "traces/intervals.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

inline constexpr std::size_t kStripLabelWidth = 10;  // characters before the first slice

struct StripRow {
  std::string label;
  std::array<IntervalSet, 3> by_class;  // by kernel class
};

// "▀" communication alone, "▄" compute alone, "█" both at once, "▚" one after the other, and the
// other quarters; "·" where copies, fills or a little of anything ran; blank where nothing did.
[[nodiscard]] std::string strip_cells(const StripRow& row, const Interval& span, std::size_t width);

// Rows, and below them the time axis and the legend. `width` is that of the screen.
[[nodiscard]] std::string strip_text(std::span<const StripRow> rows,
                                     const Interval& span,
                                     std::size_t width);

// A row for all of a device, and one for each of its busiest `most_streams` streams, by number.
[[nodiscard]] std::vector<StripRow> strip_rows(const GpuTrace& trace,
                                               std::span<const KernelRole> roles,
                                               std::uint32_t device,
                                               std::size_t most_streams);

}  // namespace epsim
