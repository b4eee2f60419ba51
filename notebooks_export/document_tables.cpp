#include "notebooks_export/document_tables.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr double kWholeBelow = 1e15;  // every whole number below is a double

bool is_whole(double number) {
  return std::abs(number) < kWholeBelow && std::trunc(number) == number;
}

// -0 reads as 0.
std::string whole_text(double number) {
  return fmt::format("{:.0f}", number == 0 ? 0.0 : number);
}

}  // namespace

std::string number_text(double number) {
  return is_whole(number) ? whole_text(number) : fmt::format("{:.6g}", number);
}

std::string exact_number_text(double number) {
  check(std::isfinite(number), "a table's number is finite");
  if (is_whole(number)) return whole_text(number);
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return {digits.data(), end};
}

std::optional<double> number_of(const Cell& cell) {
  const double* number = std::get_if<double>(&cell);
  if (number == nullptr || !std::isfinite(*number)) return std::nullopt;
  return *number;
}

std::string cell_text(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  const std::optional<double> number = number_of(cell);
  return number ? number_text(*number) : "";
}

std::size_t column_index(const ExportTable& table, std::string_view name) {
  const auto found = std::find_if(table.columns.begin(),
                                  table.columns.end(),
                                  [&](const Column& column) { return column.name == name; });
  check(found != table.columns.end(), "a chart names columns that its table has");
  return static_cast<std::size_t>(found - table.columns.begin());
}

const std::string& column_label(const ExportTable& table, std::string_view name) {
  return table.columns[column_index(table, name)].label;
}

std::string x_axis_title(const ExportChart& chart, const ExportTable& table) {
  constexpr std::string_view kStart = "start";
  const std::string& label = column_label(table, chart.x);
  if (chart.kind != ChartKind::spans || !label.starts_with(kStart)) return label;
  return "time" + label.substr(kStart.size());
}

const ExportTable& table_of(const ExportDocument& document, std::string_view name) {
  for (const ExportSection& section : document.sections)
    for (const ExportTable& table : section.tables)
      if (table.name == name) return table;
  throw Bug("a chart names a table of its document");
}

}  // namespace epsim
