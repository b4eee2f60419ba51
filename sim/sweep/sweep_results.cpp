#include "sim/sweep/sweep_results.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "sim/base/json_writer.hpp"
#include "sim/sweep/sweep_table.hpp"

namespace epsim {
namespace {

constexpr std::size_t kMostRows = 40;  // of a text
constexpr std::size_t kWidest = 48;    // characters of a cell in it

constexpr std::size_t column_of(std::string_view name) {
  std::size_t column = 0;
  while (kSweepColumns[column].name != name) ++column;
  return column;
}

// A string as it is, anything else as JSON.
std::string plain(const std::string& json) {
  const JsonValue value = JsonDocument::parse(json, "a value of an axis").root();
  return value.is_string() ? value.string() : json;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string csv_cell(const SweepCell& cell) {
  if (const auto* flag = std::get_if<bool>(&cell)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<double>(&cell)) return fmt::format("{}", *number);
  const auto* text = std::get_if<std::string>(&cell);
  return text == nullptr ? "" : csv_text(*text);
}

using Line = std::vector<std::string>;

std::string text_number(const SweepRow& row, std::string_view name) {
  const auto* number = std::get_if<double>(&row[column_of(name)]);
  return number == nullptr ? "" : fmt::format("{:.1f}", *number);
}

std::string text_of(const SweepRow& row, std::string_view name) {
  const auto* text = std::get_if<std::string>(&row[column_of(name)]);
  return text == nullptr ? "" : *text;
}

// What a person looks for first: a time, what it may be, and what limits it.
Line line_of(const std::vector<std::string>& values, const SweepRow& row) {
  Line line;
  for (const std::string& value : values) line.push_back(plain(value));
  if (const std::string error = text_of(row, "error"); !error.empty()) {
    line.push_back("refused");
    line.insert(line.end(), {"", "", error});
    return line;
  }
  line.push_back(text_of(row, "operation"));
  if (line.back() == "step") {
    line.push_back(text_number(row, "step_us"));
    line.push_back("");
    line.push_back(fmt::format("{} % of communication hidden", text_number(row, "overlap_pct")));
    return line;
  }
  line.push_back(text_number(row, "latency_us"));
  line.push_back(fmt::format("[{}, {}]", text_number(row, "low_us"), text_number(row, "high_us")));
  const std::string bottleneck = text_of(row, "bottleneck");
  line.push_back(bottleneck.empty() ? "latencies" : bottleneck);
  return line;
}

std::string aligned(const std::vector<Line>& lines) {
  std::vector<std::size_t> widths(lines.front().size(), 0);
  for (const Line& line : lines)
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], std::min(line[c].size(), kWidest));
  std::string text;
  for (const Line& line : lines) {
    std::string shown;
    for (std::size_t c = 0; c < line.size(); ++c) {
      const bool is_last = c + 1 == line.size();
      shown += is_last ? line[c] : fmt::format("{:<{}}  ", line[c], widths[c]);
    }
    text += shown + "\n";
  }
  return text;
}

}  // namespace

std::string sweep_results_json(const ScenarioSweep& sweep, const std::string& path) {
  JsonWriter writer(2);
  writer.begin_object().field("schema", "epsim.sweep_results/1").field("name", sweep.name);
  writer.field("point_count", sweep.point_count()).key("keys").begin_array();
  const std::vector<std::string> keys = sweep.keys();
  for (const std::string& key : keys) writer.value(key);
  writer.end_array().key("sweep").raw(sweep.resolved()).key("rows").begin_array();
  for_each_sweep_row(path, [&](std::uint64_t point, const SweepRow& row) {
    writer.begin_object().field("point", point);
    const std::vector<std::string> values = sweep.values_at(point);
    for (std::size_t k = 0; k < keys.size(); ++k) writer.key(keys[k]).raw(values[k]);
    for (std::size_t c = 0; c < row.size(); ++c) {
      writer.key(kSweepColumns[c].name);
      write_cell(row[c], writer);
    }
    writer.end_object();
  });
  return writer.end_array().end_object().take();
}

std::string sweep_results_csv(const ScenarioSweep& sweep, const std::string& path) {
  std::string text = "point";
  for (const std::string& key : sweep.keys()) text.append(",").append(csv_text(key));
  for (const SweepColumn& column : kSweepColumns) text += fmt::format(",{}", column.name);
  text += "\n";
  for_each_sweep_row(path, [&](std::uint64_t point, const SweepRow& row) {
    text += std::to_string(point);
    for (const std::string& value : sweep.values_at(point))
      text.append(",").append(csv_text(plain(value)));
    for (const SweepCell& cell : row) text.append(",").append(csv_cell(cell));
    text += "\n";
  });
  return text;
}

std::string sweep_results_text(const ScenarioSweep& sweep, const std::string& path) {
  std::size_t rows = 0;
  std::size_t refused = 0;
  Line heading = sweep.keys();
  heading.insert(heading.end(), {"operation", "us", "80 %", "limited by"});
  std::vector<Line> lines{heading};
  for_each_sweep_row(path, [&](std::uint64_t point, const SweepRow& row) {
    if (!text_of(row, "error").empty()) ++refused;
    if (rows++ < kMostRows) lines.push_back(line_of(sweep.values_at(point), row));
  });
  std::string text = fmt::format("{}\n\n{}", sweep.name, aligned(lines));
  if (rows > kMostRows) text += fmt::format("... and {} rows more\n", rows - kMostRows);
  text += fmt::format("\n{} points, {} rows{} in {}\n",
                      sweep.point_count(),
                      rows,
                      refused == 0 ? "" : fmt::format(", {} points refused (error)", refused),
                      path);
  return text;
}

}  // namespace epsim
