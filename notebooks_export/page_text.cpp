// A page is a frame (page/page.html) with what a document holds put into its places: text and
// headings as HTML, tables and charts as JSON that page/*.js draws, Vega and its peers to draw
// with.
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "notebooks_export/chart_frame.hpp"
#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"
#include "notebooks_export/table_view.hpp"
#include "sim/base/check.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::size_t kRowsWithoutScript = 200;

std::string_view page_part(std::string_view name) {
  for (const EmbeddedFile& part : embedded::page_parts())
    if (part.name == name) return part.text;
  check(false, "a page's parts travel inside the binary");
  return {};
}

// JSON within an HTML element: no "<" can end that or begin another.
std::string json_for_script(std::string json) {
  std::string text;
  text.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      text += "\\u003c";
    else
      text += c;
  }
  return text;
}

void write_cell(const Cell& cell, JsonWriter& writer) {
  if (const std::optional<double> number = number_of(cell))
    writer.raw(exact_number_text(*number));
  else if (const auto* word = std::get_if<std::string>(&cell))
    writer.value(*word);
  else
    writer.null();
}

void write_table(const ExportTable& table, JsonWriter& writer) {
  writer.begin_object().field("name", table.name).field("title", table.title);
  writer.key("columns").begin_array();
  for (const Column& column : table.columns)
    writer.begin_object()
        .field("name", column.name)
        .field("label", column.label)
        .field("flag", column.is_flag)
        .end_object();
  writer.end_array().key("filters").begin_array();
  for (const std::string& filter : table.filters) writer.value(filter);
  writer.end_array().key("rows").begin_array();
  for (const std::vector<Cell>& row : table.rows) {
    writer.begin_array();
    for (const Cell& cell : row) write_cell(cell, writer);
    writer.end_array();
  }
  writer.end_array().end_object();
}

// Its rows are the table's, which stand in the page once.
void write_chart(const ExportChart& chart, const ExportTable& table, JsonWriter& writer) {
  const std::string spec = vega_lite_spec(chart, table);
  JsonObject fields = JsonDocument::parse(spec, "a chart's specification").root().object();
  writer.begin_object().field("table", chart.table).field("line", chart.line);
  writer.key("spec").begin_object();
  for (const std::string& key : fields.keys())
    if (key != "data") writer.key(key).raw(fields.required(key).dump());
  writer.end_object().end_object();
}

std::string document_json(const ExportDocument& document) {
  JsonWriter writer(4);
  writer.begin_object().key("tables").begin_array();
  for (const ExportSection& section : document.sections)
    for (const ExportTable& table : section.tables) write_table(table, writer);
  writer.end_array().key("charts").begin_array();
  for (const ExportSection& section : document.sections)
    for (const ExportChart& chart : section.charts)
      write_chart(chart, table_of(document, chart.table), writer);
  writer.end_array().end_object();
  return json_for_script(writer.take());
}

// How much room a chart takes: the classes of page.css. Two plots of points go side by side.
std::string_view room_of(const ExportChart& chart, const std::vector<ExportChart>& charts) {
  if (chart.kind == ChartKind::bars) return "bars";
  if (chart.kind == ChartKind::heat_map) return "wide heat";
  const auto points = std::count_if(charts.begin(), charts.end(), [](const ExportChart& other) {
    return other.kind == ChartKind::points;
  });
  return chart.kind == ChartKind::points && points > 1 ? "half" : "wide";
}

// The `number`-th section; `charts` counts those before it.
std::string section_html(const ExportDocument& document, std::size_t number, std::size_t& charts) {
  const ExportSection& section = document.sections[number];
  std::string html = fmt::format("<section id=\"section-{}\">\n", number + 1);
  if (!section.heading.empty()) html += fmt::format("<h2>{}</h2>\n", svg_text(section.heading));
  for (const std::string& paragraph : section.paragraphs)
    html += fmt::format("<p>{}</p>\n", svg_text(paragraph));
  if (!section.charts.empty()) html += "<div class=\"charts\">\n";
  for (const ExportChart& chart : section.charts)
    html += fmt::format(
        "<figure class=\"{}\" data-chart=\"{}\" data-table=\"{}\">\n<figcaption>{}</figcaption>\n"
        "<noscript>{}</noscript>\n</figure>\n",
        room_of(chart, section.charts),
        charts++,
        svg_text(chart.table),
        svg_text(chart.title),
        chart_svg(chart, table_of(document, chart.table)));
  if (!section.charts.empty()) html += "</div>\n";
  for (const ExportTable& table : section.tables)
    html += fmt::format(
        "<div class=\"table\" "
        "data-table=\"{}\">\n<noscript><p><b>{}</b></p>{}</noscript>\n</div>\n",
        svg_text(table.name),
        svg_text(table.title),
        table_html(table, kRowsWithoutScript));
  return html + "</section>\n";
}

std::string sections_html(const ExportDocument& document) {
  std::string html;
  std::size_t charts = 0;
  for (std::size_t i = 0; i < document.sections.size(); ++i)
    html += section_html(document, i, charts);
  return html;
}

std::string contents_html(const ExportDocument& document) {
  std::string items;
  std::size_t count = 0;
  for (std::size_t i = 0; i < document.sections.size(); ++i) {
    const std::string& heading = document.sections[i].heading;
    if (heading.empty()) continue;
    ++count;
    items += fmt::format("<li><a href=\"#section-{}\">{}</a></li>\n", i + 1, svg_text(heading));
  }
  if (count < 2) return "";
  return "<nav class=\"contents\" aria-label=\"Contents\"><ul>\n" + items + "</ul></nav>\n";
}

std::string libraries_html() {
  const std::span<const EmbeddedFile> libraries = embedded::page_libraries();
  if (libraries.empty())
    throw std::runtime_error(
        "this epsim was built without Vega, which a page needs: run `npm ci --prefix "
        "notebooks_export --ignore-scripts` in its source tree, and build it again");
  std::string html;
  for (const EmbeddedFile& library : libraries) {
    check(library.text.find("</script") == std::string_view::npos,
          "a library stays in its element");
    html += fmt::format("<script>\n{}\n</script>\n", library.text);
  }
  return html;
}

// Replaces each {{name}} of the frame; what is put in is not looked through again.
std::string filled(std::string_view frame, const std::map<std::string, std::string>& places) {
  std::string text;
  while (true) {
    const std::size_t begin = frame.find("{{");
    if (begin == std::string_view::npos) return text.append(frame);
    const std::size_t end = frame.find("}}", begin);
    const auto place = places.find(std::string(frame.substr(begin + 2, end - begin - 2)));
    check(place != places.end(), "a frame has places for what a page has");
    text.append(frame.substr(0, begin)).append(place->second);
    frame.remove_prefix(end + 2);
  }
}

}  // namespace

std::string page_text(const ExportDocument& document) {
  std::string command;
  if (!document.command.empty())
    command =
        fmt::format("<div class=\"command\"><code>{}</code></div>\n", svg_text(document.command));
  std::string script(page_part("page_tables.js"));
  script.append(page_part("page_charts.js")).append(page_part("page.js"));
  return filled(page_part("page.html"),
                {{"title", svg_text(document.title)},
                 {"style", std::string(page_part("page.css"))},
                 {"command", command},
                 {"contents", contents_html(document)},
                 {"sections", sections_html(document)},
                 {"document", document_json(document)},
                 {"notices", std::string(page_part("notices.txt"))},
                 {"libraries", libraries_html()},
                 {"script", script}});
}

}  // namespace epsim
