// epsim.replay/1: what a profiler recorded, and the step of a schedule that was never run.
#include <array>

#include <fmt/format.h>

#include "notebooks_export/result_file.hpp"

namespace epsim {
namespace {

// Which key holds how much of what.
struct TimePart {
  const char* name;
  const char* key;
};
constexpr std::array kTimeParts = {TimePart{"compute", "compute_us"},
                                   TimePart{"communication, hidden", "overlap_us"},
                                   TimePart{"communication, exposed", "exposed_us"},
                                   TimePart{"copies", "copy_us"},
                                   TimePart{"idle", "idle_us"}};

std::string place_of(JsonObject& object) {
  const auto rank = object.optional("rank");
  return rank ? fmt::format("rank {:.0f}", rank->number())
              : fmt::format("device {:.0f}", number_at(object, "device"));
}

ExportTable read_streams(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("streams"),
                    .title = "What streams did with their time",
                    .columns = {{"stream", "stream"}, {"part", "part"}, {"time_us", "time, us"}},
                    .rows = {},
                    .filters = {"part"}};
  for (const JsonValue& value : array_at(root, "streams")) {
    JsonObject stream = value.object();
    const std::string name =
        fmt::format("{}, stream {:.0f}", place_of(stream), number_at(stream, "stream"));
    for (const TimePart& part : kTimeParts)
      table.rows.push_back({name, std::string(part.name), number_at(stream, part.key)});
  }
  return table;
}

ExportTable read_families(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("families"),
                    .title = "Families of kernels",
                    .columns = {{"family", "family"},
                                {"class", "class"},
                                {"count", "launches"},
                                {"total_us", "time, us"},
                                {"exposed_us", "exposed, us"}},
                    .rows = {},
                    .filters = {"class"}};
  for (const JsonValue& value : array_at(root, "families")) {
    JsonObject family = value.object();
    table.rows.push_back({text_at(family, "name"),
                          text_at(family, "class"),
                          number_at(family, "count"),
                          number_at(family, "total_us"),
                          number_at(family, "exposed_us")});
  }
  return table;
}

ExportTable read_kernels(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("kernels"),
                    .title = "Kernels",
                    .columns = {{"kernel", "kernel"},
                                {"family", "family"},
                                {"class", "class"},
                                {"phase", "phase"},
                                {"count", "launches"},
                                {"total_us", "time, us"}},
                    .rows = {},
                    .filters = {"class", "family"}};
  for (const JsonValue& value : array_at(root, "kernels")) {
    JsonObject kernel = value.object();
    table.rows.push_back({text_at(kernel, "name"),
                          text_at(kernel, "family"),
                          text_at(kernel, "class"),
                          text_at(kernel, "phase"),
                          number_at(kernel, "count"),
                          number_at(kernel, "total_us")});
  }
  return table;
}

// Overlap by layer, of the devices whose dump tells layers.
ExportTable read_layers(const ResultFile& file, JsonObject& root) {
  ExportTable table{.name = file.table_name("layers"),
                    .title = "Layers",
                    .columns = {{"device", "device"},
                                {"layer", "layer"},
                                {"span_us", "time, us"},
                                {"communication_us", "communication, us"},
                                {"overlap_pct", "overlap, %"},
                                {"exposed_us", "exposed, us"}},
                    .rows = {},
                    .filters = {"device"}};
  for (const JsonValue& value : array_at(root, "devices")) {
    JsonObject device = value.object();
    const std::string name = place_of(device);
    for (const JsonValue& element : array_at(device, "layers")) {
      JsonObject layer = element.object();
      table.rows.push_back({name,
                            number_at(layer, "layer"),
                            number_at(layer, "span_us"),
                            number_at(layer, "communication_us"),
                            number_at(layer, "overlap_pct"),
                            number_at(layer, "exposed_us")});
    }
  }
  return table;
}

ExportChart bars(
    const ExportTable& table, std::string title, std::string x, std::string y, std::string color) {
  return {.kind = ChartKind::bars,
          .title = std::move(title),
          .table = table.name,
          .x = x,
          .x_end = "",
          .y = y,
          .color = color,
          .line = "",
          .tooltip = {x, color, y}};
}

// The step that was recorded beside the one that was never run. Other times of the dump are of all
// its steps.
void add_prediction(const ResultFile& file, JsonObject& root, ExportSection& section) {
  const auto predicted = root.optional("predicted");
  if (!predicted) return;
  JsonObject object = predicted->object();
  const std::string schedule = text_at(object, "schedule");
  const NumberPair interval = pair_at(object, "interval_us");
  const double step_us = number_at(object, "step_us");
  const double recorded_us = number_at(object, "recorded_step_us");
  section.paragraphs.push_back(fmt::format(
      "Under {} a step would take {} [{}, {}], where {} was recorded; overlap {:.1f} %.",
      schedule,
      spoken_us(step_us),
      spoken_us(interval.low),
      spoken_us(interval.high),
      spoken_us(recorded_us),
      number_at(object, "overlap_pct")));
  for (const JsonValue& note : array_at(object, "notes"))
    section.paragraphs.push_back(note.string());
  const double steps = root.required("steps").number_in(1, 1e15);
  ExportTable table{
      .name = file.table_name("prediction"),
      .title = fmt::format("A step as recorded, and predicted under {}", schedule),
      .columns = {{"quantity", "quantity"}, {"which", "step"}, {"time_us", "time, us"}},
      .rows = {},
      .filters = {}};
  const std::string recorded = "recorded";
  const std::string other = "predicted, " + schedule;
  table.rows = {
      {std::string("step"), recorded, recorded_us},
      {std::string("step"), other, step_us},
      {std::string("communication"), recorded, number_at(root, "communication_us") / steps},
      {std::string("communication"), other, number_at(object, "communication_us")},
      {std::string("exposed"), recorded, number_at(root, "exposed_us") / steps},
      {std::string("exposed"), other, number_at(object, "exposed_us")}};
  section.charts.push_back(bars(table, table.title, "quantity", "time_us", "which"));
  section.tables.push_back(std::move(table));
}

}  // namespace

ResultSections read_replay(const ResultFile& file) {
  JsonObject root = file.root.object();
  ExportSection section{.heading = "Replay of " + text_at(root, "file"),
                        .paragraphs = {},
                        .charts = {},
                        .tables = {}};
  section.paragraphs.push_back(fmt::format(
      "{} recorded, {:.0f} steps. Communication {}, of which compute hides {:.1f} %; exposed {}.",
      spoken_us(number_at(root, "span_us")),
      number_at(root, "steps"),
      spoken_us(number_at(root, "communication_us")),
      number_at(root, "overlap_pct"),
      spoken_us(number_at(root, "exposed_us"))));
  add_prediction(file, root, section);
  ExportTable streams = read_streams(file, root);
  section.charts.push_back(bars(streams, "What streams did", "stream", "time_us", "part"));
  section.tables.push_back(std::move(streams));
  ExportTable families = read_families(file, root);
  section.charts.push_back(bars(families, "Families of kernels", "family", "total_us", "class"));
  section.tables.push_back(std::move(families));
  ExportTable layers = read_layers(file, root);
  if (!layers.rows.empty()) {
    section.charts.push_back(bars(layers, "Exposed by layer", "layer", "exposed_us", "device"));
    section.tables.push_back(std::move(layers));
  }
  section.tables.push_back(read_kernels(file, root));
  return {std::move(section)};
}

}  // namespace epsim
