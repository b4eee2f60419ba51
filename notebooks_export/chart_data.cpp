#include "notebooks_export/chart_data.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "notebooks_export/document_tables.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

bool is_missing(const Cell& cell) {
  return std::holds_alternative<std::string>(cell) ? std::get<std::string>(cell).empty()
                                                   : !number_of(cell);
}

// A column of the chart's table, where the chart names one.
struct ChosenColumn {
  std::optional<std::size_t> index;
  bool is_number = false;
  bool is_log = false;

  [[nodiscard]] const Cell& in(const std::vector<Cell>& row) const { return row[*index]; }
  [[nodiscard]] bool accepts(const std::vector<Cell>& row) const {
    if (!index) return true;
    if (!is_number) return !is_missing(in(row));
    const std::optional<double> number = number_of(in(row));
    return number && (!is_log || *number > 0);
  }
  [[nodiscard]] double number(const std::vector<Cell>& row) const {
    return index && is_number ? *number_of(in(row)) : 0;
  }
};

ChosenColumn chosen(const ExportTable& table,
                    const std::string& name,
                    bool is_number,
                    bool is_log) {
  if (name.empty()) return {};
  return {.index = column_index(table, name), .is_number = is_number, .is_log = is_log};
}

struct ChosenColumns {
  ChosenColumn x, x_end, y, color, line;

  ChosenColumns(const ExportChart& chart, const ExportTable& table)
      : x(chosen(table, chart.x, !has_x_names(chart.kind), chart.log_x)),
        x_end(chosen(table, chart.x_end, true, chart.log_x)),
        y(chosen(table, chart.y, !has_y_names(chart.kind), chart.log_y)),
        color(chosen(table, chart.color, !has_color_names(chart.kind), false)),
        line(chosen(table, chart.line, true, false)) {
    check(x.index && y.index, "a chart has an x and a y");
    check(x_end.index.has_value() == (chart.kind == ChartKind::spans),
          "a chart of spans has an x_end, and no other has");
    check(chart.kind != ChartKind::heat_map || color.index, "a heat map has a color");
  }
};

void add(std::optional<NumberRange>& range, double number) {
  if (!range) range = NumberRange{number, number};
  range->low = std::min(range->low, number);
  range->high = std::max(range->high, number);
}

// Names of the drawn rows and the place of each.
class NameList {
 public:
  NameList(const ExportTable& table,
           const std::vector<std::size_t>& rows,
           const ChosenColumn& column) {
    for (const std::size_t row : rows) {
      const Cell& cell = column.in(table.rows[row]);
      if (places_.emplace(cell, 0).second) names_.values.push_back(cell);
    }
    names_.are_numbers = std::all_of(names_.values.begin(), names_.values.end(), [](const Cell& c) {
      return std::holds_alternative<double>(c);
    });
    if (names_.are_numbers) std::sort(names_.values.begin(), names_.values.end());
    for (std::size_t i = 0; i < names_.values.size(); ++i) places_[names_.values[i]] = i;
  }
  [[nodiscard]] const ChartNames& names() const { return names_; }
  [[nodiscard]] std::size_t place(const Cell& cell) const { return places_.at(cell); }

 private:
  ChartNames names_;
  std::map<Cell, std::size_t> places_;
};

std::vector<std::size_t> drawn_rows(const ExportTable& table, const ChosenColumns& columns) {
  std::vector<std::size_t> rows;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::vector<Cell>& row = table.rows[r];
    if (columns.x.accepts(row) && columns.x_end.accepts(row) && columns.y.accepts(row) &&
        columns.color.accepts(row))
      rows.push_back(r);
  }
  return rows;
}

bool have_neighbours(const std::vector<ChartMark>& marks) {
  std::map<std::size_t, std::size_t> color_at;
  return std::any_of(marks.begin(), marks.end(), [&](const ChartMark& mark) {
    return color_at.emplace(mark.x_place, mark.color_place).first->second != mark.color_place;
  });
}

}  // namespace

bool has_x_names(ChartKind kind) {
  return kind == ChartKind::heat_map || kind == ChartKind::bars;
}
bool has_y_names(ChartKind kind) {
  return kind == ChartKind::heat_map || kind == ChartKind::spans;
}
bool has_color_names(ChartKind kind) {
  return kind != ChartKind::heat_map;
}

std::string heat_colour(double share) {
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(kHeatColours.size() - 1);
  const auto left = std::min(static_cast<std::size_t>(place), kHeatColours.size() - 2);
  const double way = place - static_cast<double>(left);
  std::string colour = "#";
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const auto part = [&](std::string_view text) {
      int value = 0;
      std::from_chars(text.data() + 1 + 2 * channel, text.data() + 3 + 2 * channel, value, 16);
      return value;
    };
    const double mixed = part(kHeatColours[left]) * (1 - way) + part(kHeatColours[left + 1]) * way;
    colour += fmt::format("{:02x}", static_cast<int>(std::lround(mixed)));
  }
  return colour;
}

std::size_t ChartNames::place(const Cell& value) const {
  const auto found = std::find(values.begin(), values.end(), value);
  check(found != values.end(), "a mark has one of its chart's names");
  return static_cast<std::size_t>(found - values.begin());
}

std::vector<std::string> ChartNames::texts() const {
  std::vector<std::string> all;
  for (const Cell& value : values) all.push_back(cell_text(value));
  return all;
}

std::vector<std::string> needed_columns(const ExportChart& chart) {
  std::vector<std::string> names;
  for (const std::string* name : {&chart.x, &chart.x_end, &chart.y, &chart.color})
    if (!name->empty() && std::find(names.begin(), names.end(), *name) == names.end())
      names.push_back(*name);
  return names;
}

ChartData chart_data(const ExportChart& chart, const ExportTable& table) {
  const ChosenColumns columns(chart, table);
  const std::vector<std::size_t> rows = drawn_rows(table, columns);
  const auto names_of = [&](const ChosenColumn& column) -> std::optional<NameList> {
    if (!column.index || column.is_number) return std::nullopt;
    return NameList(table, rows, column);
  };
  const std::optional<NameList> x = names_of(columns.x);
  const std::optional<NameList> y = names_of(columns.y);
  const std::optional<NameList> color = names_of(columns.color);
  ChartData data;
  for (const std::size_t r : rows) {
    const std::vector<Cell>& row = table.rows[r];
    ChartMark mark{.row = r, .x = columns.x.number(row), .y = columns.y.number(row)};
    mark.x_end = columns.x_end.index ? columns.x_end.number(row) : mark.x;
    if (x) mark.x_place = x->place(columns.x.in(row));
    if (y) mark.y_place = y->place(columns.y.in(row));
    if (color) mark.color_place = color->place(columns.color.in(row));
    if (columns.color.is_number) mark.color_value = columns.color.number(row);
    mark.is_joined = columns.line.index && number_of(columns.line.in(row)) == 1;
    if (!x) add(data.x_range, mark.x), add(data.x_range, mark.x_end);
    if (!y) add(data.y_range, mark.y);
    if (mark.color_value) add(data.color_range, *mark.color_value);
    data.marks.push_back(mark);
  }
  if (x) data.x_names = x->names();
  if (y) data.y_names = y->names();
  if (color) data.color_names = color->names();
  data.has_neighbours = chart.kind == ChartKind::bars && have_neighbours(data.marks);
  return data;
}

}  // namespace epsim
