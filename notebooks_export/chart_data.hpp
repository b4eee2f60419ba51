// ChartData: a chart's rows with their places found: what every way of drawing it starts from, so
// that all of them show the same marks.
//
// A row that lacks a value that the chart needs, or that a logarithm cannot show, is not drawn.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "notebooks_export/export_document.hpp"

namespace epsim {

// Of epsim's figures, by place in the order of names; they repeat.
inline constexpr std::array<std::string_view, 12> kChartColours = {"#1f6fb2",
                                                                   "#d9662b",
                                                                   "#2e8b57",
                                                                   "#8e44ad",
                                                                   "#b8860b",
                                                                   "#c0392b",
                                                                   "#16a2a2",
                                                                   "#d1699e",
                                                                   "#7a5230",
                                                                   "#6b6b6b",
                                                                   "#8fb339",
                                                                   "#26323d"};
// Of numbers, from low to high (Viridis, as matplotlib and Vega know it, at nine even places).
inline constexpr std::array<std::string_view, 9> kHeatColours = {"#440154",
                                                                 "#472d7b",
                                                                 "#3b528b",
                                                                 "#2c728e",
                                                                 "#21918c",
                                                                 "#28ae80",
                                                                 "#5ec962",
                                                                 "#addc30",
                                                                 "#fde725"};
// `share` from 0 to 1 between the first and the last of kHeatColours: "#3b528b".
[[nodiscard]] std::string heat_colour(double share);

// The different values of a column, among the rows that are drawn: numbers by size, if all are
// numbers; else in the order in which they come.
struct ChartNames {
  std::vector<Cell> values;
  bool are_numbers = false;
  [[nodiscard]] std::size_t place(const Cell& value) const;
  [[nodiscard]] std::vector<std::string> texts() const;
};

struct ChartMark {
  std::size_t row = 0;
  double x = 0, x_end = 0, y = 0;        // where they are numbers
  std::size_t x_place = 0, y_place = 0;  // where they are names
  std::size_t color_place = 0;           // where color is one of names
  std::optional<double> color_value{};   // where it is a number
  bool is_joined = false;                // points: by the line
};

struct NumberRange {
  double low = 0, high = 0;
};

struct ChartData {
  std::vector<ChartMark> marks;
  std::optional<ChartNames> x_names, y_names, color_names;   // where the kind has names there
  std::optional<NumberRange> x_range, y_range, color_range;  // where it has numbers, and any mark
  // Bars: a place at which several colors stand side by side.
  bool has_neighbours = false;
};

[[nodiscard]] ChartData chart_data(const ExportChart& chart, const ExportTable& table);

// Columns without which a row is not drawn, in the order x, x_end, y, color.
[[nodiscard]] std::vector<std::string> needed_columns(const ExportChart& chart);

[[nodiscard]] bool has_x_names(ChartKind kind);
[[nodiscard]] bool has_y_names(ChartKind kind);
[[nodiscard]] bool has_color_names(ChartKind kind);

}  // namespace epsim
