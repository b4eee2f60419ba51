#include "notebooks_export/chart_frame.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "notebooks_export/axis_ticks.hpp"
#include "notebooks_export/document_tables.hpp"

namespace epsim {
namespace {

constexpr double kPlotWidth = 620;
constexpr double kPlotHeight = 340;
constexpr double kTop = 46;      // room for the title
constexpr double kLetter = 7.0;  // width of one at 12 px, on average
constexpr double kTilt = 0.574;  // sine of the 35 degrees by which long names are turned
constexpr std::size_t kLongestName = 34;
constexpr std::size_t kLongestTilted = 36;
constexpr double kLean = 0.819;           // its cosine
constexpr std::size_t kMostNumbers = 12;  // under a heat map, each written
constexpr std::size_t kLegendRows = 18;
constexpr double kLegendStep = 20;

// Every rule is under the chart's own class: a page may hold several charts and styles of its own.
constexpr std::string_view kStyle =
    ".epsim-chart text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',"
    "Arial,sans-serif;font-size:12px;fill:#3d4a56}\n"
    ".epsim-chart .title{font-size:15px;font-weight:600;fill:#26323d}\n"
    ".epsim-chart .axis-title{fill:#26323d;font-weight:500}.epsim-chart .small{font-size:10px}\n"
    ".epsim-chart .grid{stroke:#e6eaee;fill:none}.epsim-chart .axis{stroke:#9aa7b3;fill:none}\n"
    ".epsim-chart .joined{fill:none;stroke:#26323d;stroke-width:1.8;stroke-linejoin:round}\n"
    ".epsim-chart .mark:hover{stroke:#26323d;stroke-width:1.5}\n";

double longest(const std::vector<std::string>& names) {
  std::size_t most = 0;
  for (const std::string& name : names) most = std::max(most, letter_count(name));
  return static_cast<double>(most) * kLetter;
}

std::vector<std::string> shown(const std::optional<ChartNames>& names, std::size_t most) {
  std::vector<std::string> all;
  if (!names) return all;
  for (const std::string& name : names->texts()) all.push_back(shortened(name, most));
  return all;
}

// Room around the values, from zero where zero is not far.
NumberRange padded(const std::optional<NumberRange>& range, bool is_log, bool is_bars) {
  if (!range) return {.low = is_log ? 1.0 : 0.0, .high = is_log ? 10.0 : 1.0};
  auto [low, high] = *range;
  if (is_log) {
    const double room = std::max(std::pow(high / low, 0.05), 1.08);
    return {low / room, high * room};
  }
  if (is_bars) low = std::min(low, 0.0), high = std::max(high, 0.0);
  const double length = high > low ? high - low : std::max(std::abs(high), 1.0);
  const bool is_from_zero = low >= 0 && low < 0.4 * high;
  const bool is_to_zero = is_bars && high <= 0 && low < 0;
  return {is_from_zero || (is_bars && low >= 0) ? 0.0 : low - 0.05 * length,
          is_to_zero ? 0.0 : high + 0.07 * length};
}

// Timelines fill their width.
NumberRange tight(const std::optional<NumberRange>& range, bool is_log) {
  if (!range || is_log) return padded(range, is_log, false);
  const double low = range->low >= 0 && range->low < 0.2 * range->high ? 0.0 : range->low;
  return {low, range->high > low ? range->high : low + 1};
}

double plot_height(ChartKind kind, std::size_t rows) {
  const auto count = static_cast<double>(std::max<std::size_t>(rows, 1));
  if (kind == ChartKind::spans) return count * std::clamp(420 / count, 9.0, 36.0);
  if (kind == ChartKind::heat_map) return count * std::clamp(420 / count, 9.0, 26.0);
  return kPlotHeight;
}

std::string grid_line(std::string_view path) {
  return fmt::format("<path class=\"grid\" d=\"{}\"/>\n", path);
}

// Every so many names, so that those that are written stay legible.
std::size_t name_step(std::size_t count, double room, double needed) {
  const double most = std::max(room / needed, 1.0);
  return static_cast<std::size_t>(std::ceil(static_cast<double>(count) / most));
}

// Round numbers between the first and the last of many numbers in a row, and where they stand.
std::vector<std::pair<double, double>> round_places(const ChartNames& names) {
  std::vector<double> values;
  for (const Cell& cell : names.values) values.push_back(std::get<double>(cell));
  std::vector<std::pair<double, double>> places;
  for (const double tick : linear_ticks(values.front(), values.back(), 8)) {
    const auto above = std::lower_bound(values.begin() + 1, values.end() - 1, tick);
    const double left = *(above - 1);
    const auto place = static_cast<double>(above - 1 - values.begin());
    places.emplace_back(place + (tick - left) / (*above - left), tick);
  }
  return places;
}

}  // namespace

std::size_t letter_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string shortened(std::string_view text, std::size_t most) {
  if (letter_count(text) <= most) return std::string(text);
  std::size_t letters = 0;
  std::size_t end = 0;
  for (; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) continue;
    if (letters++ == most - 1) break;
  }
  return std::string(text.substr(0, end)) + "…";
}

std::string svg_text(std::string_view text) {
  std::string safe;
  for (const char letter : text) {
    if (letter == '&')
      safe += "&amp;";
    else if (letter == '<')
      safe += "&lt;";
    else if (letter == '>')
      safe += "&gt;";
    else if (letter == '"')
      safe += "&quot;";
    else
      safe += static_cast<unsigned char>(letter) < ' ' && letter != '\n' ? '?' : letter;
  }
  return safe;
}

double ChartAxis::at(double value) const {
  const double share =
      is_log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  return from + (to - from) * share;
}

double ChartAxis::band() const {
  return std::abs(to - from) / (high - low);
}

ChartFrame::ChartFrame(const ExportChart& chart, const ExportTable& table, const ChartData& data)
    : chart_(chart),
      data_(data),
      x_title_(x_axis_title(chart, table)),
      y_title_(column_label(table, chart.y)),
      color_title_(chart.color.empty() ? "" : column_label(table, chart.color)),
      x_names_(shown(data.x_names, kLongestTilted)),
      y_names_(shown(data.y_names, kLongestName)),
      color_names_(shown(data.color_names, kLongestName)) {
  const double widest = longest(x_names_);
  is_tilted_ = data.x_names && !data.x_names->are_numbers &&
               (widest + 10) * static_cast<double>(x_names_.size()) > kPlotWidth;
  const double bottom = is_tilted_ ? 44 + widest * kTilt : 52;
  double left = data.y_names ? longest(y_names_) + 42 : 80;
  if (is_tilted_) {
    // The first name leans out to the left of its place.
    const double place = kPlotWidth / static_cast<double>(x_names_.size()) / 2;
    left = std::max(left,
                    12 + kLetter * kLean * static_cast<double>(letter_count(x_names_[0])) - place);
  }
  double legend = 24;
  if (data.color_names)
    legend = 50 + std::max(longest(color_names_),
                           kLetter * static_cast<double>(letter_count(color_title_)));
  if (data.color_range) legend = 100;
  const double plot = plot_height(chart.kind, y_names_.size());
  const double legend_rows = static_cast<double>(std::min(color_names_.size(), kLegendRows) + 2);
  width_ = left + kPlotWidth + legend;
  height_ = kTop + std::max(plot + bottom, legend_rows * kLegendStep);

  x_ = {.from = left, .to = left + kPlotWidth, .is_log = chart.log_x && !data.x_names};
  y_ = {.from = kTop + plot, .to = kTop, .is_log = chart.log_y && !data.y_names};
  const auto span_names = [](ChartAxis& axis, std::size_t count) {
    axis.low = -0.5;
    axis.high = static_cast<double>(std::max<std::size_t>(count, 1)) - 0.5;
  };
  const auto span_numbers = [](ChartAxis& axis, const NumberRange& range) {
    axis.low = range.low;
    axis.high = range.high;
  };
  const bool is_bars = chart.kind == ChartKind::bars;
  if (data.x_names)
    span_names(x_, x_names_.size());
  else if (chart.kind == ChartKind::spans)
    span_numbers(x_, tight(data.x_range, x_.is_log));
  else
    span_numbers(x_, padded(data.x_range, x_.is_log, false));
  if (data.y_names) {
    span_names(y_, y_names_.size());
    std::swap(y_.from, y_.to);  // the first name on top
  } else {
    span_numbers(y_, padded(data.y_range, y_.is_log, is_bars));
  }
}

std::string ChartFrame::x_numbers() const {
  std::string svg;
  const double top = std::min(y_.from, y_.to);
  const double bottom = std::max(y_.from, y_.to);
  const auto ticks = x_.is_log ? log_ticks(x_.low, x_.high, 8) : linear_ticks(x_.low, x_.high, 8);
  for (const double value : ticks) {
    svg += grid_line(fmt::format("M{0:.1f} {1:.1f}V{2:.1f}", x_.at(value), top, bottom));
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                       x_.at(value),
                       bottom + 18,
                       tick_text(value));
  }
  return svg;
}

std::string ChartFrame::y_numbers() const {
  std::string svg;
  const auto ticks = y_.is_log ? log_ticks(y_.low, y_.high, 6) : linear_ticks(y_.low, y_.high, 6);
  for (const double value : ticks) {
    svg += grid_line(fmt::format("M{:.1f} {:.1f}H{:.1f}", x_.from, y_.at(value), x_.to));
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                       x_.from - 8,
                       y_.at(value) + 4,
                       tick_text(value));
  }
  return svg;
}

std::string ChartFrame::x_words() const {
  std::string svg;
  const double y = std::max(y_.from, y_.to) + 18;
  if (chart_.kind == ChartKind::heat_map && data_.x_names->are_numbers &&
      x_names_.size() > kMostNumbers) {
    for (const auto& [place, value] : round_places(*data_.x_names))
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                         x_.at(place),
                         y,
                         tick_text(value));
    return svg;
  }
  const double needed = is_tilted_ ? 15 : longest(x_names_) + 10;
  const std::size_t step = name_step(x_names_.size(), kPlotWidth, needed);
  for (std::size_t i = 0; i < x_names_.size(); i += step) {
    const double x = x_.at(static_cast<double>(i));
    svg += is_tilted_
               ? fmt::format(
                     "<text transform=\"translate({:.1f} {:.1f}) rotate(-35)\" "
                     "text-anchor=\"end\">{}</text>\n",
                     x + 5,
                     y - 3,
                     svg_text(x_names_[i]))
               : fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
                             x,
                             y,
                             svg_text(x_names_[i]));
  }
  return svg;
}

std::string ChartFrame::y_words() const {
  std::string svg;
  const std::size_t step = name_step(y_names_.size(), std::abs(y_.to - y_.from), 12.0);
  for (std::size_t i = 0; i < y_names_.size(); ++i) {
    const double y = y_.at(static_cast<double>(i));
    if (chart_.kind == ChartKind::spans)
      svg += grid_line(fmt::format("M{:.1f} {:.1f}H{:.1f}", x_.from, y, x_.to));
    if (i % step == 0)
      svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                         x_.from - 8,
                         y + 4,
                         svg_text(y_names_[i]));
  }
  return svg;
}

std::string ChartFrame::back() const {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"epsim-chart\" viewBox=\"0 0 {0:.0f} "
      "{1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" role=\"img\">\n<title>{2}</title>\n"
      "<style>{3}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
      "<text class=\"title\" x=\"14\" y=\"26\">{2}</text>\n",
      width_,
      height_,
      svg_text(chart_.title),
      kStyle);
  svg += data_.x_names ? x_words() : x_numbers();
  svg += data_.y_names ? y_words() : y_numbers();
  const double middle = (x_.from + x_.to) / 2;
  const double bottom = std::max(y_.from, y_.to);
  const double x_title_y = bottom + (is_tilted_ ? 34 + longest(x_names_) * kTilt : 40);
  svg += fmt::format(
      "<text class=\"axis-title\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
      middle,
      x_title_y,
      svg_text(x_title_));
  svg += fmt::format(
      "<text class=\"axis-title\" transform=\"translate(18 {:.1f}) rotate(-90)\" "
      "text-anchor=\"middle\">{}</text>\n",
      (y_.from + y_.to) / 2,
      svg_text(y_title_));
  if (data_.marks.empty())
    svg += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">nothing to draw</text>\n",
        middle,
        (y_.from + y_.to) / 2);
  return svg;
}

std::string ChartFrame::names_legend() const {
  const double left = x_.to + 22;
  double y = kTop + 8;
  std::string svg = fmt::format("<text class=\"axis-title\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                                left,
                                y,
                                svg_text(color_title_));
  for (std::size_t i = 0; i < color_names_.size(); ++i) {
    y += kLegendStep;
    if (i == kLegendRows - 1 && color_names_.size() > kLegendRows)
      return svg + fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">and {} more</text>\n",
                               left,
                               y,
                               color_names_.size() - i);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"11\" height=\"11\" rx=\"2.5\" fill=\"{}\"/>"
        "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
        left,
        y - 10,
        kChartColours[i % kChartColours.size()],
        left + 18,
        y,
        svg_text(color_names_[i]));
  }
  return svg;
}

std::string ChartFrame::heat_legend() const {
  constexpr int kSteps = 40;
  const double left = x_.to + 22;
  const double top = kTop + 18;
  const double height = std::clamp(std::abs(y_.to - y_.from) - 18, 60.0, 200.0);
  const double low = data_.color_range->low;
  const double high = data_.color_range->high;
  std::string svg = fmt::format("<text class=\"axis-title\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                                left,
                                kTop + 8,
                                svg_text(color_title_));
  for (int i = 0; i < kSteps; ++i)
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"14\" height=\"{:.1f}\" fill=\"{}\"/>\n",
        left,
        top + height * i / kSteps,
        height / kSteps + 0.5,
        heat_colour(1 - (i + 0.5) / kSteps));
  const ChartAxis axis{.low = low,
                       .high = high > low ? high : low + 1,
                       .from = top + height,
                       .to = top,
                       .is_log = false};
  for (const double value : linear_ticks(axis.low, axis.high, 4))
    svg += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                       left + 20,
                       axis.at(value) + 4,
                       tick_text(value));
  return svg;
}

std::string ChartFrame::end() const {
  const double bottom = std::max(y_.from, y_.to);
  // Bars stand on zero, which need not be the bottom.
  const bool has_zero = chart_.kind == ChartKind::bars && !y_.is_log && y_.low < 0;
  std::string svg = fmt::format("<path class=\"axis\" d=\"M{:.1f} {:.1f}V{:.1f}H{:.1f}\"/>\n",
                                x_.from,
                                std::min(y_.from, y_.to),
                                bottom,
                                x_.to);
  if (has_zero)
    svg += fmt::format(
        "<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", x_.from, y_.at(0), x_.to);
  if (data_.color_range) svg += heat_legend();
  if (data_.color_names && !color_names_.empty()) svg += names_legend();
  return svg + "</svg>\n";
}

}  // namespace epsim
