#include "sim/stream_strip.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr double kNextToNothing = 0.02;  // of a slice
constexpr double kSome = 0.25;
constexpr double kExposedWeight = 1.25;  // what is exposed is what one looks for
// Quarters of a character: upper left 1, upper right 2, lower left 4, lower right 8.
constexpr std::array<const char*, 16> kQuarters = {
    " ", "▘", "▝", "▀", "▖", "▌", "▞", "▛", "▗", "▚", "▐", "▜", "▄", "▙", "▟", "█"};
constexpr std::size_t kUpperLeft = 1, kUpperRight = 2, kLowerLeft = 4, kLowerRight = 8;

const IntervalSet& of(const StripRow& row, KernelClass kernel_class) {
  return row.by_class[static_cast<std::size_t>(kernel_class)];
}

// The start of a slice; the last one's end is the span's.
Instant slice_start(const Interval& span, std::size_t slice, std::size_t width) {
  return span.start +
         span.length() / static_cast<std::int64_t>(width) * static_cast<std::int64_t>(slice) +
         span.length() % static_cast<std::int64_t>(width) * static_cast<std::int64_t>(slice) /
             static_cast<std::int64_t>(width);
}

double share_of(const IntervalSet& set, const Interval& window) {
  return static_cast<double>(set.length_in(window).count()) /
         static_cast<double>(window.length().count());
}

struct HalfSlice {
  bool communication = false, compute = false;
};

// The one that fills more of it, or both where they share much of their time.
HalfSlice half_slice(const StripRow& row, const IntervalSet& both, const Interval& window) {
  if (window.length() <= Duration{}) return {};
  const double communication = share_of(of(row, KernelClass::communication), window);
  const double compute = share_of(of(row, KernelClass::compute), window);
  const double at_once = share_of(both, window);
  const double any = communication + compute - at_once;
  if (any < kSome) return {};
  const double lesser = std::min(communication, compute);
  if (lesser >= kSome * any && at_once >= lesser / 2) return {true, true};
  const bool is_communication = communication * kExposedWeight >= compute;
  return {is_communication, !is_communication};
}

// A step of 1, 2 or 5 times a power of ten that leaves room for a few marks.
double axis_step(double length, std::size_t width) {
  const double least = length * 12 / static_cast<double>(width);
  double step = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0})
    if (step * factor >= least) return step * factor;
  return step;
}

std::string axis_text(const Interval& span, std::size_t width) {
  const bool is_in_ms = span.length() >= std::chrono::milliseconds(2);
  const double length = to_us(span.length()) / (is_in_ms ? 1000 : 1);
  const double step = axis_step(length, width);
  std::string line;
  for (int mark = 0; mark * step < length; ++mark) {
    const auto column = static_cast<std::size_t>(mark * step / length * static_cast<double>(width));
    if (column < line.size()) break;
    line.resize(column, ' ');
    line += fmt::format("{:g}", mark * step);
  }
  return line + (is_in_ms ? " ms" : " us");
}

}  // namespace

std::string strip_cells(const StripRow& row, const Interval& span, std::size_t width) {
  const IntervalSet& compute = of(row, KernelClass::compute);
  const IntervalSet& communication = of(row, KernelClass::communication);
  const IntervalSet both = communication.intersection(compute);
  const IntervalSet busy =
      communication.united_with(compute).united_with(of(row, KernelClass::copy));
  std::string cells;
  for (std::size_t slice = 0; slice < width; ++slice) {
    const Interval window{slice_start(span, slice, width), slice_start(span, slice + 1, width)};
    const Instant middle = window.start + window.length() / 2;
    const HalfSlice left = half_slice(row, both, {window.start, middle});
    const HalfSlice right = half_slice(row, both, {middle, window.end});
    const std::size_t quarters =
        (left.communication ? kUpperLeft : 0) | (right.communication ? kUpperRight : 0) |
        (left.compute ? kLowerLeft : 0) | (right.compute ? kLowerRight : 0);
    const bool is_little =
        quarters == 0 && window.length() > Duration{} && share_of(busy, window) >= kNextToNothing;
    cells += is_little ? "·" : kQuarters[quarters];
  }
  return cells;
}

std::string strip_text(std::span<const StripRow> rows, const Interval& span, std::size_t width) {
  if (span.length() <= Duration{} || width <= kStripLabelWidth) return {};
  const std::size_t slices = width - kStripLabelWidth;
  std::string text;
  for (const StripRow& row : rows) {
    std::string line = fmt::format("{:<{}}", row.label, kStripLabelWidth);
    line += strip_cells(row, span, slices);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
  }
  const std::string margin(kStripLabelWidth, ' ');
  text += margin + axis_text(span, slices) + '\n';
  text += margin + "▀ communication   ▄ compute   █ both at once   · copies, or a little\n";
  return text;
}

std::vector<StripRow> strip_rows(const GpuTrace& trace,
                                 std::span<const KernelRole> roles,
                                 std::uint32_t device,
                                 std::size_t most_streams) {
  using Stretches = std::array<std::vector<Interval>, 3>;
  Stretches whole;
  std::map<std::uint32_t, Stretches> streams;
  std::map<std::uint32_t, Duration> busy;
  for (std::size_t i = 0; i < trace.activities.size(); ++i) {
    const GpuActivity& activity = trace.activities[i];
    if (activity.device != device) continue;
    const auto kernel_class = static_cast<std::size_t>(roles[i].kernel_class);
    whole[kernel_class].push_back({activity.start, activity.end()});
    streams[activity.stream][kernel_class].push_back({activity.start, activity.end()});
    busy[activity.stream] += activity.time;
  }
  std::vector<std::pair<Duration, std::uint32_t>> order;
  for (const auto& [stream, time] : busy) order.emplace_back(-time, stream);
  std::sort(order.begin(), order.end());
  for (std::size_t i = most_streams; i < order.size(); ++i) streams.erase(order[i].second);

  std::vector<StripRow> rows;
  const auto add_row = [&](std::string label, Stretches& stretches) {
    StripRow& row = rows.emplace_back();
    row.label = std::move(label);
    for (std::size_t c = 0; c < stretches.size(); ++c)
      row.by_class[c] = IntervalSet(std::move(stretches[c]));
  };
  add_row("all", whole);
  for (auto& [stream, stretches] : streams) add_row(fmt::format("stream {}", stream), stretches);
  return rows;
}

}  // namespace epsim
