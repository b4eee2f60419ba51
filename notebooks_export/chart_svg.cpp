// A chart as a picture that needs nothing: marks by kind, on a frame.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "notebooks_export/axis_ticks.hpp"
#include "notebooks_export/chart_data.hpp"
#include "notebooks_export/chart_frame.hpp"
#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"

namespace epsim {
namespace {

// More marks than these are too small to point at, and their titles would be most of the file.
constexpr std::size_t kMostTitles = 2000;
constexpr std::size_t kMostBarTexts = 24;

// What a chart is drawn from.
struct ChartSource {
  const ExportChart& chart;
  const ExportTable& table;
  const ChartData& data;
  const ChartFrame& frame;

  [[nodiscard]] std::string_view colour(const ChartMark& mark) const {
    return kChartColours[mark.color_place % kChartColours.size()];
  }
  // Of its columns in words, as an element's content; "" where there are too many marks.
  [[nodiscard]] std::string title(const ChartMark& mark) const {
    if (data.marks.size() > kMostTitles || chart.tooltip.empty()) return "";
    std::string text;
    for (const std::string& name : chart.tooltip) {
      const std::size_t column = column_index(table, name);
      const std::string cell = cell_text(table.rows[mark.row][column]);
      if (cell.empty()) continue;
      text += fmt::format("{}{}: {}", text.empty() ? "" : "\n", table.columns[column].label, cell);
    }
    return text.empty() ? "" : "<title>" + svg_text(text) + "</title>";
  }
};

std::string joining_line(const ChartSource& source) {
  std::vector<ChartMark> joined;
  for (const ChartMark& mark : source.data.marks)
    if (mark.is_joined) joined.push_back(mark);
  if (joined.size() < 2) return "";
  std::stable_sort(joined.begin(), joined.end(), [](const ChartMark& a, const ChartMark& b) {
    return a.x < b.x;
  });
  std::string path;
  for (const ChartMark& mark : joined)
    path += fmt::format("{}{:.1f} {:.1f}",
                        path.empty() ? 'M' : 'L',
                        source.frame.x().at(mark.x),
                        source.frame.y().at(mark.y));
  return fmt::format("<path class=\"joined\" d=\"{}\"/>\n", path);
}

// Those on the line last, so that nothing hides them.
std::string points(const ChartSource& source) {
  const bool has_line = !source.chart.line.empty();
  std::string svg = joining_line(source);
  for (const bool is_joined : {false, true})
    for (const ChartMark& mark : source.data.marks) {
      if (mark.is_joined != is_joined) continue;
      svg += fmt::format(
          "<circle class=\"mark\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\" fill=\"{}\" "
          "fill-opacity=\"{}\" stroke=\"#fff\" stroke-width=\"0.7\">{}</circle>\n",
          source.frame.x().at(mark.x),
          source.frame.y().at(mark.y),
          is_joined ? "5.5" : "4",
          source.colour(mark),
          has_line && !is_joined ? "0.5" : "0.9",
          source.title(mark));
    }
  return svg;
}

std::string spans(const ChartSource& source) {
  const double thickness = source.frame.y().band() * 0.76;
  std::string svg;
  for (const ChartMark& mark : source.data.marks) {
    const double left = source.frame.x().at(std::min(mark.x, mark.x_end));
    const double right = source.frame.x().at(std::max(mark.x, mark.x_end));
    const double middle = source.frame.y().at(static_cast<double>(mark.y_place));
    svg += fmt::format(
        "<rect class=\"mark\" x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{:.1f}\" "
        "fill=\"{}\">{}</rect>\n",
        left,
        middle - thickness / 2,
        std::max(right - left, 0.5),  // the shortest is seen
        thickness,
        source.colour(mark),
        source.title(mark));
  }
  return svg;
}

std::string heat_map(const ChartSource& source) {
  const NumberRange range = source.data.color_range.value_or(NumberRange{0, 1});
  const double width = source.frame.x().band();
  const double height = source.frame.y().band();
  std::string svg;
  for (const ChartMark& mark : source.data.marks) {
    const double share =
        range.high > range.low ? (*mark.color_value - range.low) / (range.high - range.low) : 0;
    svg += fmt::format(
        "<rect class=\"mark\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" height=\"{:.2f}\" "
        "fill=\"{}\">{}</rect>\n",
        source.frame.x().at(static_cast<double>(mark.x_place)) - width / 2,
        source.frame.y().at(static_cast<double>(mark.y_place)) - height / 2,
        width + 0.3,  // no seams between neighbours
        height - std::min(1.0, height * 0.08),
        heat_colour(share),
        source.title(mark));
  }
  return svg;
}

std::string bars(const ChartSource& source) {
  const bool is_side_by_side = source.data.has_neighbours;
  const std::size_t count = is_side_by_side ? source.data.color_names->values.size() : 1;
  const double room = source.frame.x().band() * (count > 1 ? 0.84 : 0.68);
  const double width = std::min(room / static_cast<double>(count), 64.0);
  const ChartAxis& y = source.frame.y();
  const double base = y.at(y.is_log ? y.low : 0.0);
  const bool has_texts = source.data.marks.size() <= kMostBarTexts && width > 24;
  std::string svg;
  for (const ChartMark& mark : source.data.marks) {
    const double place = is_side_by_side ? static_cast<double>(mark.color_place) : 0.0;
    const double middle = source.frame.x().at(static_cast<double>(mark.x_place)) +
                          (place - (static_cast<double>(count) - 1) / 2) * width;
    const double end = y.at(mark.y);
    svg += fmt::format(
        "<rect class=\"mark\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
        "rx=\"1.5\" fill=\"{}\">{}</rect>\n",
        middle - width * 0.47,
        std::min(base, end),
        width * 0.94,
        std::abs(base - end),
        source.colour(mark),
        source.title(mark));
    if (has_texts)
      svg += fmt::format(
          "<text class=\"small\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n",
          middle,
          end > base ? end + 12 : end - 4,
          tick_text(std::stod(fmt::format("{:.3g}", mark.y))));
  }
  return svg;
}

}  // namespace

std::string chart_svg(const ExportChart& chart, const ExportTable& table) {
  const ChartData data = chart_data(chart, table);
  const ChartFrame frame(chart, table, data);
  const ChartSource source{.chart = chart, .table = table, .data = data, .frame = frame};
  std::string marks;
  switch (chart.kind) {
    case ChartKind::points:
      marks = points(source);
      break;
    case ChartKind::spans:
      marks = spans(source);
      break;
    case ChartKind::heat_map:
      marks = heat_map(source);
      break;
    case ChartKind::bars:
      marks = bars(source);
      break;
  }
  return frame.back() + marks + frame.end();
}

}  // namespace epsim
