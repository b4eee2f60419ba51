// ExportDocument: results in the form in which people read them: tables, and charts over them. Made
// from result files; a notebook and a page are two ways of writing it down.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace epsim {

// A number, a word, or nothing.
using Cell = std::variant<std::monostate, double, std::string>;

struct Column {
  std::string name;      // as a program names it, unit last: "tokens_per_s_per_gpu"
  std::string label;     // as a person reads it: "tokens/s/GPU"
  bool is_flag = false;  // 1 is read as yes, 0 as no
};

struct ExportTable {
  std::string name;   // a Python identifier, unique in the document: "capacity_1"
  std::string title;  // "Deployments that were simulated"
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // each as long as columns
  // Columns by which a reader may want to choose rows; empty: no filter.
  std::vector<std::string> filters;
};

enum class ChartKind : std::uint8_t {
  points,    // x and y numbers: a Pareto plot; rows whose `line` column is 1 are joined by a line
  spans,     // from x to x_end, one row of the picture for each y: timelines, overlap strips
  heat_map,  // cells of x and y, `color` a number
  bars,      // a number y for each x, side by side by color
};

struct ExportChart {
  ChartKind kind{};
  std::string title;
  std::string table;  // by its name
  // Names of columns; empty where the kind has no use for them.
  std::string x, x_end, y, color, line;
  std::vector<std::string> tooltip;  // columns
  bool log_x = false, log_y = false;
};

struct ExportSection {
  std::string heading;
  std::vector<std::string> paragraphs;
  std::vector<ExportChart> charts;  // over the tables of any section
  std::vector<ExportTable> tables;
};

struct ExportDocument {
  std::string title;
  std::string command;  // that makes it again
  std::vector<ExportSection> sections;
};

// Reads results of any kind that epsim writes: epsim.capacity/1, epsim.report/1, epsim.step/1,
// epsim.placements/1 (a fence table), epsim.validation/1, epsim.replay/1, and tables of a sweep
// (.sqlite). Throws InputError for a file that is none of them.
[[nodiscard]] ExportDocument read_results(const std::vector<std::filesystem::path>& files);

// An argument as a shell reads it back, for a command line that is shown.
[[nodiscard]] std::string shell_word(const std::string& text);

// nbformat 4.5: text, tables as data in code cells, and charts with their executed outputs.
[[nodiscard]] std::string notebook_text(const ExportDocument& document);
// One file that needs no other and no network.
[[nodiscard]] std::string page_text(const ExportDocument& document);

// A chart as a Vega-Lite specification with its data inside, and as a picture that needs nothing.
[[nodiscard]] std::string vega_lite_spec(const ExportChart& chart, const ExportTable& table);
[[nodiscard]] std::string chart_svg(const ExportChart& chart, const ExportTable& table);

}  // namespace epsim
