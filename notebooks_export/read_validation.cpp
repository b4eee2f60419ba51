// epsim.validation/1: predicted against measured.
#include <fmt/format.h>

#include "notebooks_export/result_file.hpp"

namespace epsim {
namespace {

ExportTable read_groups(const ResultFile& file, JsonObject& root, JsonObject& summary) {
  ExportTable table{.name = file.table_name("accuracy"),
                    .title = "Errors by kernel and operation",
                    .columns = {{"group", "kernel and operation"},
                                {"n", "records"},
                                {"median_abs_pct", "median error, %"},
                                {"p90_abs_pct", "p90 error, %"},
                                {"p95_abs_pct", "p95 error, %"},
                                {"max_abs_pct", "largest error, %"},
                                {"coverage_pct", "in the 80 % interval, %"}},
                    .rows = {},
                    .filters = {}};
  const auto add = [&](const std::string& name, JsonObject& errors) {
    table.rows.push_back({name,
                          number_at(errors, "n"),
                          number_at(errors, "median_abs_pct"),
                          number_at(errors, "p90_abs_pct"),
                          number_at(errors, "p95_abs_pct"),
                          number_at(errors, "max_abs_pct"),
                          number_at(errors, "coverage_pct")});
  };
  for (const JsonValue& value : array_at(root, "groups")) {
    JsonObject group = value.object();
    std::string name = text_at(group, "kernel") + " " + text_at(group, "op");
    if (const auto system = group.optional("system")) name += " on " + system->string();
    add(name, group);
  }
  add("all", summary);
  return table;
}

// A record's id begins with its kernel and operation: "deepep-ll-1.2.1-dispatch-4-...".
std::string group_of(const std::string& id, JsonObject& root) {
  for (const JsonValue& value : array_at(root, "groups")) {
    JsonObject group = value.object();
    const std::string kernel = text_at(group, "kernel");
    const std::string operation = text_at(group, "op");
    if (id.starts_with(kernel + "-" + operation)) return kernel + " " + operation;
  }
  return "other";
}

ExportTable read_records(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("records"),
                    .title = "Records",
                    .columns = {{"id", "record"},
                                {"group", "kernel and operation"},
                                {"measured_us", "measured, us"},
                                {"predicted_us", "predicted, us"},
                                {"error_pct", "error, %"},
                                {"predicted_low_us", "predicted from, us"},
                                {"predicted_high_us", "predicted to, us"},
                                {"in_range", "in calibrated range", true},
                                {"fitted", "seen by the fit", true}},
                    .rows = {},
                    .filters = {"group", "fitted", "in_range"}};
  for (const JsonValue& value : array_at(root, "records")) {
    JsonObject record = value.object();
    const std::string id = text_at(record, "id");
    const NumberPair interval = pair_at(record, "interval_us");
    table.rows.push_back({id,
                          group_of(id, root),
                          number_at(record, "measured_us"),
                          number_at(record, "predicted_us"),
                          number_at(record, "error_pct"),
                          interval.low,
                          interval.high,
                          flag_at(record, "in_range"),
                          flag_at(record, "fitted")});
  }
  return table;
}

ExportChart records_chart(const ExportTable& table, std::string title, std::string y, bool log_y) {
  return {.kind = ChartKind::points,
          .title = std::move(title),
          .table = table.name,
          .x = "measured_us",
          .x_end = "",
          .y = std::move(y),
          .color = "group",
          .line = "",
          .tooltip = {"id", "measured_us", "predicted_us", "error_pct", "fitted"},
          .log_x = true,
          .log_y = log_y};
}

}  // namespace

ResultSections read_validation(const ResultFile& file) {
  JsonObject root = file.root.object();
  JsonObject summary = root.required("summary").object();
  ExportSection section{
      .heading = "Predicted against measured", .paragraphs = {}, .charts = {}, .tables = {}};
  section.paragraphs.push_back(fmt::format(
      "{:.0f} records: the error is {:.1f} % at the median and at most {:.1f} % for nine in ten; "
      "{:.0f} % lie in the prediction's 80 % interval.",
      number_at(summary, "n"),
      number_at(summary, "median_abs_pct"),
      number_at(summary, "p90_abs_pct"),
      number_at(summary, "coverage_pct")));
  section.tables.push_back(read_groups(file, root, summary));
  ExportTable records = read_records(file, root);
  section.charts.push_back(
      records_chart(records, "Predicted against measured latencies", "predicted_us", true));
  section.charts.push_back(records_chart(records, "Error by latency", "error_pct", false));
  section.tables.push_back(std::move(records));
  return {std::move(section)};
}

}  // namespace epsim
