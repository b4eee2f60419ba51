// epsim.placements/1: what fences cost where they stand, and what they close.
#include <fmt/format.h>

#include "notebooks_export/result_file.hpp"

namespace epsim {
namespace {

ExportTable read_placements_of(const std::string& name,
                               const std::string& operation,
                               JsonObject& object) {
  ExportTable table{.name = name,
                    .title = fmt::format("Fences of {}", operation),
                    .columns = {{"fence", "fence"},
                                {"latency_us", "latency, us"},
                                {"latency_low_us", "latency from, us"},
                                {"latency_high_us", "latency to, us"},
                                {"delta_us", "more than P0, us"},
                                {"execution_count", "fences a rank executes"},
                                {"serial_count", "of one agent"},
                                {"E1", "closes E1"},
                                {"E2", "closes E2"},
                                {"verdict", "verdict"},
                                {"lenient_verdict", "verdict, lenient"},
                                {"cheapest", "cheapest that is OK", true},
                                {"chosen", "of the scenario", true},
                                {"where", "where it stands"}},
                    .rows = {},
                    .filters = {"verdict"}};
  for (const JsonValue& value : array_at(object, "placements")) {
    JsonObject row = value.object();
    const NumberPair interval = pair_at(row, "interval_us");
    table.rows.push_back({text_at(row, "fence"),
                          number_at(row, "latency_us"),
                          interval.low,
                          interval.high,
                          number_at(row, "delta_us"),
                          number_at(row, "execution_count"),
                          number_at(row, "serial_count"),
                          text_at(row, "E1"),
                          text_at(row, "E2"),
                          text_at(row, "verdict"),
                          text_at(row, "lenient_verdict"),
                          flag_at(row, "cheapest"),
                          flag_at(row, "chosen"),
                          text_at(row, "text")});
  }
  return table;
}

// The sentence that the table is read for.
std::string cheapest_of(const ExportTable& table) {
  constexpr std::size_t kDelta = 4, kCheapest = 11, kWhere = 13;
  for (const std::vector<Cell>& row : table.rows)
    if (row[kCheapest] == Cell{1.0})
      return fmt::format("Cheapest that is OK in the strict reading: {} ({:+.2f} us): {}.",
                         std::get<std::string>(row[0]),
                         std::get<double>(row[kDelta]),
                         std::get<std::string>(row[kWhere]));
  return "No placement is OK in the strict reading.";
}

}  // namespace

ResultSections read_placements(const ResultFile& file) {
  JsonObject root = file.root.object();
  ResultSections sections;
  for (const JsonValue& value : array_at(root, "tables")) {
    JsonObject object = value.object();
    const std::string operation = text_at(object, "operation");
    ExportTable table = read_placements_of(
        fmt::format("{}_{}", file.table_name("fences"), sections.size() + 1), operation, object);
    ExportSection section{
        .heading = fmt::format("Fences of {}: {}", operation, text_at(object, "scenario")),
        .paragraphs = {cheapest_of(table),
                       "E1: a row that a flag published, read by a bulk copy. E2: a ring stage, "
                       "refilled by one."},
        .charts = {},
        .tables = {}};
    section.charts.push_back(
        {.kind = ChartKind::bars,
         .title = "What each placement costs, and whether it is enough",
         .table = table.name,
         .x = "fence",
         .x_end = "",
         .y = "delta_us",
         .color = "verdict",
         .line = "",
         .tooltip = {"fence", "latency_us", "delta_us", "E1", "E2", "verdict", "where"}});
    section.tables.push_back(std::move(table));
    sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace epsim
