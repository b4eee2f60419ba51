#include "notebooks_export/notebook_code.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "notebooks_export/chart_frame.hpp"
#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/table_view.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr double kRowInches = 0.3;
constexpr std::size_t kMostTiltedNames = 40;

// A JSON string is a Python string: both write \u and friends in the same way, and json_quote
// leaves other letters as they are.
std::string literal(std::string_view text) {
  return json_quote(text);
}

// Nothing and the empty word are the same to a chart, and to pandas where both are None.
std::string cell_code(const Cell& cell, std::string_view nothing) {
  if (const std::optional<double> number = number_of(cell)) return exact_number_text(*number);
  const std::string text = cell_text(cell);
  return text.empty() ? std::string(nothing) : literal(text);
}

std::string row_code(const std::vector<Cell>& row, std::string_view nothing) {
  std::string code;
  for (const Cell& cell : row) code += (code.empty() ? "[" : ", ") + cell_code(cell, nothing);
  return code + "]";
}

std::string column_list(const std::vector<std::string>& names) {
  std::string code;
  for (const std::string& name : names) code += (code.empty() ? "[" : ", ") + literal(name);
  return code + "]";
}

// Of one chart.
struct Drawing {
  const ExportChart& chart;
  const ExportTable& table;
  const ChartData& data;

  [[nodiscard]] std::string label(const std::string& column) const {
    return literal(column_label(table, column));
  }
  [[nodiscard]] bool has_color_names() const {
    return data.color_names && !data.color_names->values.empty();
  }
};

// The rows that chart_data draws.
std::string drawn_rows(const Drawing& drawing) {
  const ExportChart& chart = drawing.chart;
  std::string code = fmt::format(
      "drawn = {}.dropna(subset={})\n", drawing.table.name, column_list(needed_columns(chart)));
  std::vector<std::string> positive;
  if (chart.log_x) positive.push_back(chart.x);
  if (chart.log_x && !chart.x_end.empty()) positive.push_back(chart.x_end);
  if (chart.log_y) positive.push_back(chart.y);
  for (const std::string& name : positive)
    code += fmt::format("drawn = drawn[drawn[{}] > 0]\n", literal(name));
  return code;
}

std::string figure(double width, double height) {
  return fmt::format("figure, axes = plt.subplots(figsize=({:.3g}, {:.3g}))\n", width, height);
}

double rows_height(const ChartNames& names) {
  return 1.4 +
         kRowInches * static_cast<double>(std::clamp<std::size_t>(names.values.size(), 1, 48));
}

// A loop over the names of the color column, or one turn without it. `body` is indented within.
std::string for_each_color(const Drawing& drawing, std::string_view head, std::string_view body) {
  if (!drawing.has_color_names()) return fmt::format("rows = drawn\n{}", body);
  const std::string color = literal(drawing.chart.color);
  std::string code = fmt::format("{}    rows = drawn[drawn[{}] == name]\n", head, color);
  std::size_t from = 0;
  while (from < body.size()) {
    const std::size_t end = body.find('\n', from) + 1;
    code += "    " + std::string(body.substr(from, end - from));
    from = end;
  }
  return code;
}

std::string plain_head(const Drawing& drawing) {
  return fmt::format("for name, colour in colours_of(drawn[{}]).items():\n",
                     literal(drawing.chart.color));
}

// How a mark is painted and named, as arguments.
std::string paint(const Drawing& drawing) {
  if (!drawing.has_color_names()) return "color=COLOURS[0]";
  return drawing.data.color_names->are_numbers ? "color=colour, label=f\"{name:g}\""
                                               : "color=colour, label=str(name)";
}

std::string titles(const Drawing& drawing) {
  const ExportChart& chart = drawing.chart;
  std::string code;
  if (chart.log_x && !drawing.data.x_names) code += "axes.set_xscale(\"log\")\n";
  if (chart.log_y && !drawing.data.y_names) code += "axes.set_yscale(\"log\")\n";
  code += fmt::format("axes.set_title({}, loc=\"left\")\n", literal(chart.title));
  code += fmt::format("axes.set_xlabel({})\naxes.set_ylabel({})\n",
                      literal(x_axis_title(chart, drawing.table)),
                      drawing.label(chart.y));
  if (drawing.has_color_names())
    code += fmt::format(
        "axes.legend(title={}, loc=\"upper left\", bbox_to_anchor=(1.01, 1), frameon=False)\n",
        drawing.label(chart.color));
  return code + "plt.show()";
}

std::string points_code(const Drawing& drawing) {
  const ExportChart& chart = drawing.chart;
  const std::string x = literal(chart.x);
  const std::string y = literal(chart.y);
  std::string code = drawn_rows(drawing) + figure(9, 5);
  if (!chart.line.empty())
    code += fmt::format(
        "joined = drawn[drawn[{0}] == 1].sort_values({1})\n"
        "axes.plot(joined[{1}], joined[{2}], color=\"#26323d\", linewidth=1.8, zorder=1)\n",
        literal(chart.line),
        x,
        y);
  code += for_each_color(drawing,
                         plain_head(drawing),
                         fmt::format("axes.scatter(rows[{}], rows[{}], s=36, alpha=0.85, {}, "
                                     "linewidths=0, zorder=2)\n",
                                     x,
                                     y,
                                     paint(drawing)));
  return code + titles(drawing);
}

std::string spans_code(const Drawing& drawing) {
  const ExportChart& chart = drawing.chart;
  const std::string y = literal(chart.y);
  std::string code = drawn_rows(drawing) + fmt::format("lanes = names_in(drawn[{}])\n", y);
  code += figure(9, rows_height(*drawing.data.y_names));
  code += for_each_color(
      drawing,
      plain_head(drawing),
      fmt::format("axes.barh(rows[{0}].map(lanes.index), rows[{2}] - rows[{1}], left=rows[{1}], "
                  "height=0.76, {3})\n",
                  y,
                  literal(chart.x),
                  literal(chart.x_end),
                  paint(drawing)));
  code += "axes.set_yticks(range(len(lanes)), lanes)\naxes.invert_yaxis()\n";
  return code + titles(drawing);
}

std::string heat_map_code(const Drawing& drawing) {
  const ExportChart& chart = drawing.chart;
  std::string code = drawn_rows(drawing);
  code += fmt::format(
      "across, down = names_in(drawn[{0}]), names_in(drawn[{1}])\n"
      "grid = drawn.pivot(index={1}, columns={0}, values={2}).reindex(index=down, "
      "columns=across)\n",
      literal(chart.x),
      literal(chart.y),
      literal(chart.color));
  code += figure(10, rows_height(*drawing.data.y_names));
  code += fmt::format(
      "cells = axes.pcolormesh(grid.to_numpy(dtype=float), cmap=\"viridis\")\n"
      "figure.colorbar(cells, label={})\n"
      "shown = range(0, len(across), max(1, len(across) // 12))\n"
      "axes.set_xticks([place + 0.5 for place in shown], [{} for place in shown])\n"
      "axes.set_yticks([place + 0.5 for place in range(len(down))], down)\n"
      "axes.invert_yaxis()\naxes.grid(False)\n",
      drawing.label(chart.color),
      drawing.data.x_names->are_numbers ? "f\"{across[place]:g}\"" : "across[place]");
  return code + titles(drawing);
}

// Whether names do not fit beside each other.
bool is_wide(const ChartNames& names) {
  constexpr std::size_t kMostLetters = 90;
  std::size_t longest = 0;
  for (const std::string& name : names.texts()) longest = std::max(longest, letter_count(name) + 2);
  return longest * names.values.size() > kMostLetters;
}

std::string bars_code(const Drawing& drawing) {
  const ExportChart& chart = drawing.chart;
  const std::string x = literal(chart.x);
  const std::string y = literal(chart.y);
  std::string code = drawn_rows(drawing) + fmt::format("places = names_in(drawn[{}])\n", x);
  if (drawing.data.has_neighbours) {
    code += fmt::format("colours = colours_of(drawn[{}])\nwidth = 0.84 / len(colours)\n",
                        literal(chart.color));
    code += figure(9, 5);
    code += for_each_color(
        drawing,
        "for turn, (name, colour) in enumerate(colours.items()):\n",
        fmt::format("shift = (turn - (len(colours) - 1) / 2) * width\n"
                    "axes.bar(rows[{}].map(places.index) + shift, rows[{}], width=0.94 * width, "
                    "{})\n",
                    x,
                    y,
                    paint(drawing)));
  } else {
    code += figure(9, 5);
    code += for_each_color(
        drawing,
        plain_head(drawing),
        fmt::format("axes.bar(rows[{}].map(places.index), rows[{}], width=0.65, {})\n",
                    x,
                    y,
                    paint(drawing)));
  }
  const ChartNames& names = *drawing.data.x_names;
  if (names.are_numbers)
    code += "axes.set_xticks(range(len(places)), [f\"{place:g}\" for place in places])\n";
  else if (names.values.size() <= kMostTiltedNames)
    code += fmt::format("axes.set_xticks(range(len(places)), places{})\n",
                        is_wide(names) ? ", rotation=35, ha=\"right\"" : "");
  return code + titles(drawing);
}

}  // namespace

std::string setup_code() {
  std::string colours;
  for (const std::string_view colour : kChartColours)
    colours += fmt::format("{}\"{}\"", colours.empty() ? "" : ", ", colour);
  return fmt::format(
      R"(import itertools
import json

import matplotlib.pyplot as plt
import pandas as pd

%matplotlib inline
%config InlineBackend.figure_formats = ["retina"]
plt.rcParams.update({{
    "axes.axisbelow": True, "axes.edgecolor": "#9aa7b3", "axes.grid": True,
    "axes.spines.right": False, "axes.spines.top": False, "axes.titleweight": "bold",
    "font.size": 10, "grid.color": "#e6eaee",
}})
COLOURS = [{}]


def names_in(column):
    """The different values of a column: numbers by size, words in the order in which they come."""
    names = list(column.unique())
    return sorted(names) if pd.api.types.is_numeric_dtype(column) else names


def colours_of(column):
    """A colour for each of the names in a column."""
    return dict(zip(names_in(column), itertools.cycle(COLOURS))))",
      colours);
}

std::string table_code(const ExportTable& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  std::string code = fmt::format(
      "# {}\n{} = pd.DataFrame(\n    columns={},\n", table.title, table.name, column_list(names));
  if (table.rows.size() <= kMostCodeRows) {
    code += "    data=[\n";
    for (const std::vector<Cell>& row : table.rows)
      code += "        " + row_code(row, "None") + ",\n";
    code += "    ],\n)\n";
  } else {
    // JSON never has three quotes in a row, so that nothing in it ends the text early.
    code += "    data=[json.loads(row) for row in r\"\"\"\n";
    for (const std::vector<Cell>& row : table.rows) code += row_code(row, "null") + "\n";
    code += "\"\"\".strip().split(\"\\n\")],\n)\n";
  }
  return code + (table.rows.size() > kShownRows ? fmt::format("{}.head({})", table.name, kShownRows)
                                                : table.name);
}

std::string chart_code(const ExportChart& chart, const ExportTable& table, const ChartData& data) {
  const Drawing drawing{.chart = chart, .table = table, .data = data};
  switch (chart.kind) {
    case ChartKind::points:
      return points_code(drawing);
    case ChartKind::spans:
      return spans_code(drawing);
    case ChartKind::heat_map:
      return heat_map_code(drawing);
    case ChartKind::bars:
      break;
  }
  return bars_code(drawing);
}

}  // namespace epsim
