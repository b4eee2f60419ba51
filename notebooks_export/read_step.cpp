// epsim.step/1: a step of a model under a schedule.
#include <algorithm>

#include <fmt/format.h>

#include "notebooks_export/result_file.hpp"

namespace epsim {
namespace {

// More tasks than these are a wall; then the first of them are shown on their own too.
constexpr std::size_t kLegibleTasks = 240;

ExportTable read_streams(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("streams"),
                    .title = "Streams",
                    .columns = {{"stream", "stream"},
                                {"tasks", "tasks"},
                                {"compute_us", "compute, us"},
                                {"communication_us", "communication, us"}},
                    .rows = {},
                    .filters = {}};
  for (const JsonValue& value : array_at(root, "streams")) {
    JsonObject stream = value.object();
    table.rows.push_back({text_at(stream, "name"),
                          number_at(stream, "tasks"),
                          number_at(stream, "compute_us"),
                          number_at(stream, "communication_us")});
  }
  return table;
}

ExportTable read_kinds(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("communication"),
                    .title = "Communication and what compute hides of it",
                    .columns = {{"kind", "communication"},
                                {"part", "part"},
                                {"time_us", "time, us"},
                                {"overlap_pct", "overlap, %"}},
                    .rows = {},
                    .filters = {}};
  JsonObject kinds = root.required("by_kind").object();
  for (const std::string& key : kinds.keys()) {
    JsonObject kind = kinds.required(key).object();
    const double overlap_pct = number_at(kind, "overlap_pct");
    for (const auto& [part, name] : {std::pair{"hidden", "overlap_us"}, {"exposed", "exposed_us"}})
      table.rows.push_back({key, std::string(part), number_at(kind, name), overlap_pct});
  }
  return table;
}

ExportTable read_variants(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("variants"),
                    .title = fmt::format("What changes give, on {:.0f} layers",
                                         number_at(root, "variant_layers")),
                    .columns = {{"what", "change"},
                                {"schedule", "schedule"},
                                {"step_us", "step, us"},
                                {"overlap_pct", "overlap, %"},
                                {"exposed_us", "exposed communication, us"}},
                    .rows = {},
                    .filters = {"schedule"}};
  for (const JsonValue& value : array_at(root, "variants")) {
    JsonObject variant = value.object();
    table.rows.push_back({text_at(variant, "what"),
                          text_at(variant, "kind"),
                          number_at(variant, "step_us"),
                          number_at(variant, "overlap_pct"),
                          number_at(variant, "exposed_us")});
  }
  return table;
}

ExportTable read_tasks(const ResultFile& file, const JsonValue& value) {
  ExportTable table{.name = file.table_name("tasks"),
                    .title = "Tasks of the step",
                    .columns = {{"stream", "stream"},
                                {"task", "task"},
                                {"class", "class"},
                                {"layer", "layer"},
                                {"micro_batch", "micro-batch"},
                                {"start_us", "start, us"},
                                {"end_us", "end, us"}},
                    .rows = {},
                    .filters = {"class", "layer", "micro_batch"}};
  JsonObject timeline = value.object();
  for (const JsonValue& element : array_at(timeline, "spans")) {
    JsonObject span = element.object();
    table.rows.push_back({text_at(span, "stream"),
                          text_at(span, "name"),
                          text_at(span, "class"),
                          number_at(span, "layer"),
                          number_at(span, "micro_batch"),
                          number_at(span, "start_us"),
                          number_at(span, "end_us")});
  }
  return table;
}

ExportChart overlap_strip(const ExportTable& table, std::string title, std::string color) {
  return {.kind = ChartKind::spans,
          .title = std::move(title),
          .table = table.name,
          .x = "start_us",
          .x_end = "end_us",
          .y = "stream",
          .color = std::move(color),
          .line = "",
          .tooltip = {"task", "class", "layer", "micro_batch", "start_us", "end_us"}};
}

void add_timeline(const ResultFile& file, JsonObject& root, ExportSection& section) {
  const auto timeline = root.optional("timeline");
  if (!timeline) return;
  ExportTable tasks = read_tasks(file, *timeline);
  section.charts.push_back(
      overlap_strip(tasks, "Overlap: what runs beside what on the step's streams", "class"));
  if (tasks.rows.size() > kLegibleTasks) {
    ExportTable first = tasks;
    first.name = file.table_name("first_tasks");
    first.title = fmt::format("The first {} tasks", kLegibleTasks);
    first.rows.resize(kLegibleTasks);
    section.charts.push_back(overlap_strip(first, "How the step begins", "task"));
    section.tables.push_back(std::move(first));
  }
  section.tables.push_back(std::move(tasks));
}

void add_variants(const ResultFile& file, JsonObject& root, ExportSection& section) {
  ExportTable table = read_variants(file, root);
  if (!table.rows.empty())
    section.charts.push_back({.kind = ChartKind::bars,
                              .title = "Overlap when one thing is changed",
                              .table = table.name,
                              .x = "what",
                              .x_end = "",
                              .y = "overlap_pct",
                              .color = "schedule",
                              .line = "",
                              .tooltip = {"what", "schedule", "step_us", "overlap_pct"}});
  section.tables.push_back(std::move(table));
}

}  // namespace

ResultSections read_step(const ResultFile& file) {
  JsonObject root = file.root.object();
  JsonObject scenario = root.required("scenario").object();
  ExportSection section{
      .heading = text_at(scenario, "name"), .paragraphs = {}, .charts = {}, .tables = {}};
  section.paragraphs.push_back(
      fmt::format("Step {}, {} on one stream. Communication {}, of which compute hides {:.1f} %; "
                  "exposed {}.",
                  spoken_us(number_at(root, "step_us")),
                  spoken_us(number_at(root, "serial_us")),
                  spoken_us(number_at(root, "communication_us")),
                  number_at(root, "overlap_pct"),
                  spoken_us(number_at(root, "exposed_us"))));
  for (const JsonValue& value : array_at(root, "mechanisms")) {
    JsonObject mechanism = value.object();
    section.paragraphs.push_back(fmt::format("{}. {}: overlap {:.1f} %, step {}.",
                                             text_at(mechanism, "what"),
                                             text_at(mechanism, "change"),
                                             number_at(mechanism, "overlap_pct"),
                                             spoken_us(number_at(mechanism, "step_us"))));
  }
  add_timeline(file, root, section);
  ExportTable kinds = read_kinds(file, root);
  section.charts.push_back({.kind = ChartKind::bars,
                            .title = "Communication: hidden and exposed",
                            .table = kinds.name,
                            .x = "kind",
                            .x_end = "",
                            .y = "time_us",
                            .color = "part",
                            .line = "",
                            .tooltip = {"kind", "part", "time_us", "overlap_pct"}});
  section.tables.push_back(std::move(kinds));
  section.tables.push_back(read_streams(file, root));
  add_variants(file, root, section);
  return {std::move(section)};
}

}  // namespace epsim
