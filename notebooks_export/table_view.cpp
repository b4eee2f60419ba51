#include "notebooks_export/table_view.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "notebooks_export/chart_frame.hpp"
#include "notebooks_export/document_tables.hpp"

namespace epsim {
namespace {

constexpr std::size_t kWidestWord = 48;

std::string shown_cell(const Cell& cell) {
  const std::string text = cell_text(cell);
  return text.empty() ? "–" : text;
}

std::string size_text(const ExportTable& table, std::size_t shown) {
  if (shown == table.rows.size()) return "";
  return fmt::format("first {} of {} rows", shown, table.rows.size());
}

std::string padding(std::size_t width, std::string_view text) {
  return std::string(width - std::min(width, letter_count(text)), ' ');
}

}  // namespace

std::string table_plain_text(const ExportTable& table, std::size_t most_rows) {
  const std::size_t shown = std::min(most_rows, table.rows.size());
  std::vector<std::string> lines(shown + 1);
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    std::vector<std::string> words = {table.columns[c].name};
    for (std::size_t r = 0; r < shown; ++r)
      words.push_back(shortened(shown_cell(table.rows[r][c]), kWidestWord));
    std::size_t width = 0;
    for (const std::string& word : words) width = std::max(width, letter_count(word));
    for (std::size_t r = 0; r <= shown; ++r)
      lines[r] += (c == 0 ? "" : "  ") + padding(width, words[r]) + words[r];
  }
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  const std::string size = size_text(table, shown);
  if (!size.empty()) text += '\n' + size + '\n';
  text.pop_back();
  return text;
}

std::string table_html(const ExportTable& table, std::size_t most_rows) {
  const std::size_t shown = std::min(most_rows, table.rows.size());
  std::string html =
      "<table border=\"1\" class=\"dataframe\" style=\"white-space: nowrap\">\n<thead><tr>";
  for (const Column& column : table.columns)
    html += fmt::format("<th title=\"{}\">{}</th>", svg_text(column.label), svg_text(column.name));
  html += "</tr></thead>\n<tbody>\n";
  for (std::size_t r = 0; r < shown; ++r) {
    html += "<tr>";
    for (const Cell& cell : table.rows[r])
      html += fmt::format("<td>{}</td>", svg_text(shown_cell(cell)));
    html += "</tr>\n";
  }
  html += "</tbody>\n</table>";
  const std::string size = size_text(table, shown);
  return size.empty() ? html : html + "\n<p>" + size + "</p>";
}

}  // namespace epsim
