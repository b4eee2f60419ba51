// A chart as a Vega-Lite specification (https://vega.github.io/vega-lite/docs/). The rows stand in
// one place, `data`, so that a page may put others in their stead: what may not be drawn of those
// is kept out by `transform`.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "notebooks_export/chart_data.hpp"
#include "notebooks_export/document_tables.hpp"
#include "notebooks_export/export_document.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::string_view kSchema = "https://vega.github.io/schema/vega-lite/v5.json";
constexpr int kWidth = 620;
constexpr int kHeight = 340;
constexpr std::size_t kLongestTooltip = 16;

// A field's name inside an encoding: "." and "[" would reach into objects.
std::string field_name(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '.' || c == '[' || c == ']' || c == '\\') text += '\\';
    text += c;
  }
  return text;
}

struct SpecSource {
  const ExportChart& chart;
  const ExportTable& table;
  const ChartData& data;
};

void write_cell(const Cell& cell, JsonWriter& writer) {
  if (const std::optional<double> number = number_of(cell))
    writer.raw(exact_number_text(*number));
  else if (const auto* text = std::get_if<std::string>(&cell))
    writer.value(*text);
  else
    writer.null();
}

// Columns that the chart shows, or by which its rows may be chosen, in the table's order.
std::vector<std::size_t> used_columns(const SpecSource& source) {
  std::set<std::string> names;
  for (const std::string& name : needed_columns(source.chart)) names.insert(name);
  if (!source.chart.line.empty()) names.insert(source.chart.line);
  names.insert(source.chart.tooltip.begin(), source.chart.tooltip.end());
  names.insert(source.table.filters.begin(), source.table.filters.end());
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < source.table.columns.size(); ++i)
    if (names.contains(source.table.columns[i].name)) indices.push_back(i);
  return indices;
}

void write_data(const SpecSource& source, JsonWriter& writer) {
  const std::vector<std::size_t> columns = used_columns(source);
  writer.key("data").begin_object().field("name", source.table.name);
  writer.key("values").begin_array();
  for (const ChartMark& mark : source.data.marks) {
    writer.begin_object();
    for (const std::size_t column : columns)
      write_cell(source.table.rows[mark.row][column],
                 writer.key(source.table.columns[column].name));
    writer.end_object();
  }
  writer.end_array().end_object();
}

// The rows that chart_data draws, whichever rows there are.
void write_transform(const SpecSource& source, JsonWriter& writer) {
  const ExportChart& chart = source.chart;
  writer.key("transform").begin_array();
  for (const std::string& name : needed_columns(chart)) {
    const bool is_log = (chart.log_x && (name == chart.x || name == chart.x_end)) ||
                        (chart.log_y && name == chart.y);
    const bool is_name = (has_x_names(chart.kind) && name == chart.x) ||
                         (has_y_names(chart.kind) && name == chart.y) ||
                         (has_color_names(chart.kind) && name == chart.color);
    writer.begin_object().key("filter").begin_object();
    // To Vega-Lite, only what reads as a number is valid.
    if (is_name)
      writer.key("not")
          .begin_object()
          .field("field", field_name(name))
          .key("oneOf")
          .raw("[null, \"\"]")
          .end_object();
    else if (is_log)
      writer.field("field", field_name(name)).field("gt", 0);
    else
      writer.field("field", field_name(name)).field("valid", true);
    writer.end_object().end_object();
  }
  writer.end_array();
}

void write_names(const ChartNames& names, JsonWriter& writer) {
  writer.begin_array();
  for (const Cell& value : names.values) write_cell(value, writer);
  writer.end_array();
}

void begin_number_field(const SpecSource& source,
                        std::string_view name,
                        std::string_view title,
                        bool is_log,
                        bool has_zero,
                        JsonWriter& writer) {
  writer.begin_object().field("field", field_name(name)).field("type", "quantitative");
  writer.field("title", title).key("scale").begin_object();
  if (is_log)
    writer.field("type", "log");
  else
    writer.field("zero", has_zero).field("nice", source.chart.kind != ChartKind::spans);
  writer.end_object();
}

void begin_name_field(const SpecSource& source,
                      std::string_view name,
                      const ChartNames& names,
                      JsonWriter& writer) {
  writer.begin_object().field("field", field_name(name));
  writer.field("type", names.are_numbers ? "ordinal" : "nominal");
  writer.field("title", column_label(source.table, name));
}

void begin_sorted_field(const SpecSource& source,
                        std::string_view name,
                        const ChartNames& names,
                        JsonWriter& writer) {
  begin_name_field(source, name, names, writer);
  write_names(names, writer.key("sort"));
}

bool is_in_thousands(const ChartNames& names) {
  return !names.values.empty() && number_of(names.values.back()) >= 1000;
}

bool reaches_near_zero(const std::optional<NumberRange>& range) {
  return range && range->low >= 0 && range->low < 0.4 * range->high;
}

void write_x(const SpecSource& source, JsonWriter& writer) {
  const ExportChart& chart = source.chart;
  writer.key("x");
  if (source.data.x_names) {
    begin_sorted_field(source, chart.x, *source.data.x_names, writer);
    writer.key("axis").begin_object();
    if (source.data.x_names->are_numbers)
      writer.field("labelAngle", 0).field("labelOverlap", true);
    else
      writer.field("labelAngle", -35).field("labelLimit", 240);
    // The edges of bins have more digits than anyone reads.
    if (source.data.x_names->are_numbers && chart.kind == ChartKind::heat_map)
      writer.field("format", is_in_thousands(*source.data.x_names) ? ".3~s" : ".3~g");
    writer.end_object().end_object();
    return;
  }
  const bool is_spans = chart.kind == ChartKind::spans;
  begin_number_field(source,
                     chart.x,
                     x_axis_title(chart, source.table),
                     chart.log_x,
                     reaches_near_zero(source.data.x_range),
                     writer);
  writer.end_object();
  if (is_spans)
    writer.key("x2").begin_object().field("field", field_name(chart.x_end)).end_object();
}

void write_y(const SpecSource& source, JsonWriter& writer) {
  const ExportChart& chart = source.chart;
  writer.key("y");
  if (source.data.y_names) {
    begin_sorted_field(source, chart.y, *source.data.y_names, writer);
    writer.key("axis")
        .begin_object()
        .field("labelLimit", 240)
        .field("grid", chart.kind == ChartKind::spans);
    writer.end_object().end_object();
    return;
  }
  const bool has_zero = chart.kind == ChartKind::bars || reaches_near_zero(source.data.y_range);
  begin_number_field(
      source, chart.y, column_label(source.table, chart.y), chart.log_y, has_zero, writer);
  writer.end_object();
}

// A name keeps its colour whichever rows are chosen.
void write_colour_scale(const ChartNames& names, JsonWriter& writer) {
  writer.key("scale").begin_object().key("domain");
  write_names(names, writer);
  writer.key("range").begin_array();
  for (std::size_t i = 0; i < names.values.size(); ++i)
    writer.value(kChartColours[i % kChartColours.size()]);
  writer.end_array().end_object();
}

void write_color(const SpecSource& source, JsonWriter& writer) {
  const ExportChart& chart = source.chart;
  if (chart.color.empty()) {
    writer.key("color").begin_object().field("value", kChartColours[0]).end_object();
    return;
  }
  writer.key("color");
  if (source.data.color_names) {
    begin_name_field(source, chart.color, *source.data.color_names, writer);
    write_colour_scale(*source.data.color_names, writer);
    writer.key("legend")
        .begin_object()
        .field("labelLimit", 240)
        .field("symbolType", chart.kind == ChartKind::points ? "circle" : "square")
        .end_object();
    writer.end_object();
    if (source.data.has_neighbours) {
      writer.key("xOffset");
      begin_sorted_field(source, chart.color, *source.data.color_names, writer);
      writer.end_object();
    }
    return;
  }
  writer.begin_object().field("field", field_name(chart.color)).field("type", "quantitative");
  writer.field("title", column_label(source.table, chart.color));
  writer.key("scale").begin_object().field("scheme", "viridis").end_object().end_object();
}

void write_tooltip(const SpecSource& source, JsonWriter& writer) {
  if (source.chart.tooltip.empty()) return;
  writer.key("tooltip").begin_array();
  std::size_t count = 0;
  for (const std::string& name : source.chart.tooltip) {
    if (++count > kLongestTooltip) break;
    const std::size_t column = column_index(source.table, name);
    const bool is_number = std::all_of(
        source.table.rows.begin(), source.table.rows.end(), [&](const std::vector<Cell>& row) {
          return !std::holds_alternative<std::string>(row[column]);
        });
    writer.begin_object().field("field", field_name(name));
    writer.field("type", is_number ? "quantitative" : "nominal");
    if (is_number) writer.field("format", ",.5~g");
    writer.field("title", source.table.columns[column].label).end_object();
  }
  writer.end_array();
}

// What is not chosen in the legend steps back.
void write_opacity(const SpecSource& source, double opacity, JsonWriter& writer) {
  if (!source.data.color_names) return;
  writer.key("opacity").begin_object();
  writer.key("condition").begin_object().field("param", "legend").field("value", opacity);
  writer.end_object().field("value", 0.08).end_object();
}

void write_params(const SpecSource& source, JsonWriter& writer) {
  const ChartKind kind = source.chart.kind;
  const bool has_zoom = kind == ChartKind::points || kind == ChartKind::spans;
  if (!source.data.color_names && !has_zoom) return;
  writer.key("params").begin_array();
  if (source.data.color_names) {
    writer.begin_object().field("name", "legend").key("select").begin_object();
    writer.field("type", "point").key("fields").begin_array();
    writer.value(field_name(source.chart.color)).end_array().end_object();
    writer.field("bind", "legend").end_object();
  }
  if (has_zoom) {
    writer.begin_object().field("name", "zoom").key("select").begin_object();
    writer.field("type", "interval").key("encodings").begin_array().value("x");
    if (kind == ChartKind::points) writer.value("y");
    writer.end_array().end_object().field("bind", "scales").end_object();
  }
  writer.end_array();
}

void write_mark(ChartKind kind, JsonWriter& writer) {
  writer.key("mark").begin_object();
  switch (kind) {
    case ChartKind::points:
      writer.field("type", "circle").field("size", 75).field("stroke", "#fff");
      writer.field("strokeWidth", 0.6);
      break;
    case ChartKind::spans:
      writer.field("type", "bar").key("height").begin_object().field("band", 0.76).end_object();
      writer.field("clip", true);
      break;
    case ChartKind::heat_map:
      writer.field("type", "rect");
      break;
    case ChartKind::bars:
      writer.field("type", "bar").field("cornerRadiusEnd", 2);
      break;
  }
  writer.end_object();
}

void write_encoding(const SpecSource& source, JsonWriter& writer) {
  writer.key("encoding").begin_object();
  write_x(source, writer);
  write_y(source, writer);
  write_color(source, writer);
  write_opacity(source, source.chart.kind == ChartKind::points ? 0.85 : 1.0, writer);
  write_tooltip(source, writer);
  writer.end_object();
}

// The line under the points that it joins.
void write_layers(const SpecSource& source, JsonWriter& writer) {
  writer.key("layer").begin_array().begin_object();
  writer.key("transform").begin_array().begin_object().key("filter").begin_object();
  writer.field("field", field_name(source.chart.line)).field("equal", 1).end_object();
  writer.end_object().end_array();
  writer.key("mark").begin_object().field("type", "line").field("color", "#26323d");
  writer.field("strokeWidth", 1.8).end_object().key("encoding").begin_object();
  write_x(source, writer);
  write_y(source, writer);
  writer.end_object().end_object().begin_object();
  write_params(source, writer);
  write_mark(source.chart.kind, writer);
  write_encoding(source, writer);
  writer.end_object().end_array();
}

void write_size(const SpecSource& source, JsonWriter& writer) {
  writer.field("width", kWidth).key("height");
  if (!source.data.y_names) {
    writer.value(kHeight);
    return;
  }
  const std::size_t rows = std::max<std::size_t>(source.data.y_names->values.size(), 1);
  const std::size_t low = source.chart.kind == ChartKind::spans ? 14 : 9;
  writer.begin_object().field("step", std::clamp<std::size_t>(420 / rows, low, 28)).end_object();
}

void write_config(JsonWriter& writer) {
  constexpr std::string_view kFont =
      "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
  writer.key("config").begin_object().field("font", kFont).field("background", "#ffffff");
  writer.key("axis").begin_object().field("gridColor", "#e6eaee").field("domainColor", "#9aa7b3");
  writer.field("tickColor", "#9aa7b3").field("labelColor", "#3d4a56");
  writer.field("titleColor", "#26323d").field("titleFontWeight", 500).field("labelFontSize", 11);
  writer.field("titlePadding", 8).end_object();
  writer.key("legend").begin_object().field("labelColor", "#3d4a56");
  writer.field("titleColor", "#26323d").field("titleFontWeight", 500).end_object();
  writer.key("title").begin_object().field("anchor", "start").field("fontSize", 15);
  writer.field("fontWeight", 600).field("color", "#26323d").field("offset", 14).end_object();
  writer.key("view").begin_object().field("stroke", "#d5dce2").end_object().end_object();
}

}  // namespace

std::string vega_lite_spec(const ExportChart& chart, const ExportTable& table) {
  const ChartData data = chart_data(chart, table);
  const SpecSource source{.chart = chart, .table = table, .data = data};
  JsonWriter writer(3);
  writer.begin_object().field("$schema", kSchema).field("title", chart.title);
  write_size(source, writer);
  write_data(source, writer);
  write_transform(source, writer);
  if (chart.line.empty()) {
    write_params(source, writer);
    write_mark(chart.kind, writer);
    write_encoding(source, writer);
  } else {
    write_layers(source, writer);
  }
  write_config(writer);
  writer.end_object();
  return writer.take();
}

}  // namespace epsim
