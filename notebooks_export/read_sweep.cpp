// Tables of epsim sweep: a row a point and operation; columns are the axes, then what came of them.
#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/result_file.hpp"
#include "sim/base/input_error.hpp"
#include "traces/sqlite_file.hpp"

namespace epsim {
namespace {

constexpr const char* kResults = "results";  // the table
constexpr std::string_view kPoint = "point";
constexpr std::string_view kOperation = "operation";  // the first column after the axes
constexpr const char* kSeries = "(series)";           // no key of a scenario is called that
constexpr std::size_t kMostSeries = 16;
constexpr std::size_t kMostSteps = 12;  // of an axis by which rows are chosen

// "exposed_us" as a person reads it: "exposed, us".
std::string label_of(const std::string& name) {
  for (const auto& [suffix, unit] : {std::pair{"_us", "us"}, {"_ms", "ms"}, {"_pct", "%"}})
    if (name.ends_with(suffix))
      return name.substr(0, name.size() - std::string_view(suffix).size()) + ", " + unit;
  return name;
}

Cell cell_of(const SqliteRows& rows, std::size_t column) {
  if (const auto number = rows.number(column)) return *number;
  if (const auto text = rows.text(column)) return std::string(*text);
  return {};
}

ExportTable read_table(const SqliteFile& file, std::size_t number) {
  ExportTable table{.name = fmt::format("sweep_{}", number),
                    .title = "Points of the sweep",
                    .columns = {},
                    .rows = {},
                    .filters = {}};
  const std::vector<std::string> names = file.columns(kResults);
  for (const std::string& name : names) table.columns.push_back({name, label_of(name)});
  SqliteRows rows = file.rows(kResults, names);
  while (rows.next()) {
    std::vector<Cell> row;
    for (std::size_t c = 0; c < names.size(); ++c) row.push_back(cell_of(rows, c));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::set<Cell> different(const ExportTable& table, std::size_t column) {
  std::set<Cell> values;
  for (const std::vector<Cell>& row : table.rows) values.insert(row[column]);
  return values;
}

bool are_numbers(const std::set<Cell>& values) {
  return std::all_of(
      values.begin(), values.end(), [](const Cell& cell) { return number_of(cell).has_value(); });
}

// Keys of the sweep that take more than one value, by column.
std::vector<std::size_t> swept_columns(const ExportTable& table) {
  std::vector<std::size_t> axes;
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string& name = table.columns[c].name;
    if (name == kOperation) break;
    if (name != kPoint && different(table, c).size() > 1) axes.push_back(c);
  }
  return axes;
}

bool has_numbers(const ExportTable& table, const std::string& name) {
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    if (table.columns[c].name == name)
      return std::any_of(table.rows.begin(), table.rows.end(), [&](const std::vector<Cell>& row) {
        return number_of(row[c]).has_value();
      });
  return false;
}

// A column that tells apart what the x axis does not: the other axes and the operation in words.
// Draws of one routing are one series.
void add_series(ExportTable& table, const std::vector<std::size_t>& columns) {
  table.columns.push_back({kSeries, "series"});
  for (std::vector<Cell>& row : table.rows) {
    std::string words;
    for (const std::size_t column : columns) {
      const std::string word = cell_text(row[column]);
      const std::string& name = table.columns[column].name;
      if (word.empty() || name == "seed") continue;
      const bool is_bare = !number_of(row[column]);
      words += (words.empty() ? "" : ", ") +
               (is_bare ? word : name.substr(name.rfind('.') + 1) + " " + word);
    }
    row.push_back(words);
  }
}

void add_charts(ExportTable& table, ExportSection& section) {
  std::vector<std::size_t> axes = swept_columns(table);
  const auto x = std::find_if(axes.begin(), axes.end(), [&](std::size_t column) {
    return are_numbers(different(table, column));
  });
  if (axes.empty()) return;
  const std::size_t x_column = x == axes.end() ? axes.front() : *x;
  const bool is_numeric = x != axes.end();
  for (const std::size_t axis : axes)
    if (different(table, axis).size() <= kMostSteps)
      table.filters.push_back(table.columns[axis].name);
  axes.erase(std::find(axes.begin(), axes.end(), x_column));
  for (std::size_t c = 0; c < table.columns.size(); ++c)
    if (table.columns[c].name == kOperation && different(table, c).size() > 1) {
      axes.push_back(c);
      table.filters.push_back(std::string(kOperation));
    }
  add_series(table, axes);
  const std::size_t series_count = different(table, table.columns.size() - 1).size();
  const std::string color = axes.empty() || series_count == 1 ? ""
                            : series_count <= kMostSeries     ? kSeries
                                                              : table.columns[axes.back()].name;
  const std::string x_name = table.columns[x_column].name;
  for (const char* y : {"latency_us", "step_us", "overlap_pct", "tokens_per_s_per_gpu"}) {
    if (!has_numbers(table, y)) continue;
    const std::set<Cell> steps = different(table, x_column);
    const double low = is_numeric ? *number_of(*steps.begin()) : 0;
    const double high = is_numeric ? *number_of(*steps.rbegin()) : 0;
    section.charts.push_back({.kind = is_numeric ? ChartKind::points : ChartKind::bars,
                              .title = fmt::format("{} by {}", label_of(y), x_name),
                              .table = table.name,
                              .x = x_name,
                              .x_end = "",
                              .y = y,
                              .color = color,
                              .line = "",
                              .tooltip = {x_name, kSeries, y},
                              .log_x = low > 0 && high > 20 * low});
  }
}

// What the table says of itself, which is a list of keys and values.
std::string schema_of(const SqliteFile& file) {
  SqliteRows rows = file.rows("sweep", {"key", "value"});
  while (rows.next())
    if (rows.text(0) == "schema") return std::string(rows.text(1).value_or(""));
  return "";
}

}  // namespace

ResultSections read_sweep(const std::filesystem::path& path, std::size_t number) {
  const SqliteFile file = SqliteFile::open(path.string());
  if (!file.has_table(kResults) || schema_of(file) != "epsim.sweep_table/1")
    throw InputError(path.string(),
                     "",
                     file.has_table("finished")
                         ? "a sweep that has not ended; expected the table that it leaves then"
                         : "expected a table that epsim sweep wrote, found another database");
  ExportTable table = read_table(file, number);
  ExportSection section{.heading = "Sweep " + path.filename().string(),
                        .paragraphs = {fmt::format("{} rows.", table.rows.size())},
                        .charts = {},
                        .tables = {}};
  add_charts(table, section);
  section.tables.push_back(std::move(table));
  return {std::move(section)};
}

}  // namespace epsim
