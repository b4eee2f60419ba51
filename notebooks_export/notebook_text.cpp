// An ExportDocument as a Jupyter notebook: nbformat 4.5
// (https://nbformat.readthedocs.io/en/latest/format_description.html).
#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "notebooks_export/chart_data.hpp"
#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"
#include "notebooks_export/notebook_code.hpp"
#include "notebooks_export/table_view.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr int kLinesDepth = 7;  // an output's lines stand under each other

constexpr std::array<std::string_view, 4> kMarkWords = {"points", "spans", "cells", "bars"};

// Text as nbformat likes it: a list of lines, each but the last with its end.
void write_lines(std::string_view text, JsonWriter& writer) {
  writer.begin_array();
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::size_t length = end == std::string_view::npos ? text.size() : end + 1;
    writer.value(text.substr(0, length));
    text.remove_prefix(length);
  }
  writer.end_array();
}

bool is_among(const std::vector<ExportTable>& tables, const ExportTable& table) {
  return std::any_of(tables.begin(), tables.end(), [&](const ExportTable& other) {
    return other.name == table.name;
  });
}

// Text that Markdown shows as it is.
std::string plain_markdown(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>#|$").find(c) != std::string_view::npos) safe += '\\';
    safe += c;
  }
  return safe;
}

class NotebookWriter {
 public:
  explicit NotebookWriter(const ExportDocument& document) : document_(document) {
    writer_.begin_object().key("cells").begin_array();
    std::string title = "# " + plain_markdown(document.title) + "\n\n";
    if (!document.command.empty()) title += fmt::format("Made by `{}`.\n\n", document.command);
    title +=
        "The data stand in the cells; running them again needs pandas and matplotlib, and no "
        "network.";
    text_cell("title", title);
    begin_code_cell("setup", setup_code());
    end_code_cell();
    for (const ExportSection& section : document.sections) write_section(section);
    writer_.end_array();
    write_metadata();
  }
  [[nodiscard]] std::string take() {
    writer_.end_object();
    return writer_.take();
  }

 private:
  void text_cell(const std::string& id, std::string_view text) {
    writer_.begin_object().field("cell_type", "markdown").field("id", id);
    writer_.key("metadata").begin_object().end_object().key("source");
    write_lines(text, writer_);
    writer_.end_object();
  }

  void begin_code_cell(const std::string& id, std::string_view code, bool is_folded = false) {
    writer_.begin_object().field("cell_type", "code").field("execution_count", ++executions_);
    writer_.field("id", id).key("metadata").begin_object();
    if (is_folded) writer_.key("jupyter").begin_object().field("source_hidden", true).end_object();
    writer_.end_object().key("source");
    write_lines(code, writer_);
    writer_.key("outputs").begin_array();
  }
  void end_code_cell() { writer_.end_array().end_object(); }

  void write_section(const ExportSection& section) {
    std::string text = "## " + plain_markdown(section.heading);
    for (const std::string& paragraph : section.paragraphs)
      text += "\n\n" + plain_markdown(paragraph);
    text_cell(fmt::format("section-{}", ++sections_), text);
    for (const ExportTable& table : section.tables) {
      write_table(table);
      for (const ExportChart& chart : section.charts)
        if (chart.table == table.name) write_chart(chart, table);
    }
    for (const ExportChart& chart : section.charts) {
      const ExportTable& table = table_of(document_, chart.table);
      if (is_among(section.tables, table)) continue;
      write_table(table);  // of a later section, perhaps
      write_chart(chart, table);
    }
  }

  void write_table(const ExportTable& table) {
    if (!written_.insert(table.name).second) return;
    // A wall of data is there for who asks for it.
    const bool is_folded = table.rows.size() > kShownRows;
    begin_code_cell(fmt::format("table-{}", written_.size()), table_code(table), is_folded);
    writer_.begin_object().key("data").begin_object().key("text/html");
    write_lines(table_html(table, kShownRows), writer_);
    writer_.key("text/plain");
    write_lines(table_plain_text(table, kShownRows), writer_);
    writer_.end_object().field("execution_count", executions_);
    writer_.key("metadata").begin_object().end_object();
    writer_.field("output_type", "execute_result").end_object();
    end_code_cell();
  }

  void write_chart(const ExportChart& chart, const ExportTable& table) {
    const ChartData data = chart_data(chart, table);
    begin_code_cell(fmt::format("chart-{}", ++charts_), chart_code(chart, table, data));
    writer_.begin_object().key("data").begin_object().key("application/vnd.vegalite.v5+json");
    std::string spec = vega_lite_spec(chart, table);
    spec.pop_back();  // its line's end
    writer_.raw(spec).key("image/svg+xml");
    write_lines(chart_svg(chart, table), writer_);
    writer_.key("text/plain").begin_array();
    writer_.value(fmt::format("{}: {} {} of {}",
                              chart.title,
                              data.marks.size(),
                              kMarkWords[static_cast<std::size_t>(chart.kind)],
                              chart.table));
    writer_.end_array().end_object().key("metadata").begin_object().end_object();
    writer_.field("output_type", "display_data").end_object();
    end_code_cell();
  }

  void write_metadata() {
    writer_.key("metadata").begin_object().key("kernelspec").begin_object();
    writer_.field("display_name", "Python 3").field("language", "python").field("name", "python3");
    writer_.end_object().key("language_info").begin_object().field("name", "python");
    writer_.end_object().end_object().field("nbformat", 4).field("nbformat_minor", 5);
  }

  const ExportDocument& document_;
  JsonWriter writer_{kLinesDepth};
  std::set<std::string> written_;  // tables, by name
  int executions_ = 0;
  int sections_ = 0;
  int charts_ = 0;
};

}  // namespace

std::string notebook_text(const ExportDocument& document) {
  return NotebookWriter(document).take();
}

}  // namespace epsim
