// epsim.report/1: dispatch and combine of a scenario.
#include <array>

#include <fmt/format.h>

#include "notebooks_export/result_file.hpp"

namespace epsim {
namespace {

struct ReportTables {
  ExportTable operations, phases, bounds, busiest;
};

ReportTables empty_tables(const ResultFile& file) {
  return {
      .operations = {.name = file.table_name("operations"),
                     .title = "Operations",
                     .columns = {{"operation", "operation"},
                                 {"latency_us", "latency, us"},
                                 {"latency_low_us", "latency from, us"},
                                 {"latency_high_us", "latency to, us"},
                                 {"bound_us", "lower bound, us"},
                                 {"bound_by", "bound by"},
                                 {"bottleneck", "bottleneck"},
                                 {"message_count", "messages"},
                                 {"remote_size_bytes", "bytes to other ranks"},
                                 {"busiest_rank_ratio", "busiest rank, of the mean"},
                                 {"busiest_expert_ratio", "busiest expert, of the mean"}},
                     .rows = {},
                     .filters = {}},
      .phases = {.name = file.table_name("phases"),
                 .title = "Phases on the critical path",
                 .columns = {{"operation", "operation"},
                             {"phase", "phase"},
                             {"time_us", "time, us"},
                             {"share_pct", "of the latency, %"}},
                 .rows = {},
                 .filters = {"operation"}},
      .bounds = {.name = file.table_name("bounds"),
                 .title = "Lower bounds: no execution takes less",
                 .columns = {{"operation", "operation"},
                             {"resource", "resource"},
                             {"time_us", "time, us"}},
                 .rows = {},
                 .filters = {}},
      .busiest = {.name = file.table_name("busiest"),
                  .title = "The busiest resource of each kind",
                  .columns = {{"operation", "operation"},
                              {"kind", "kind"},
                              {"place", "place"},
                              {"busy_pct", "busy, %"},
                              {"size_bytes", "bytes"}},
                  .rows = {},
                  .filters = {}},
  };
}

double max_over_mean(JsonObject& traffic, std::string_view key) {
  JsonObject load = traffic.required(key).object();
  return number_at(load, "max_over_mean");
}

void read_phases(const std::string& operation, JsonObject& object, ReportTables& tables) {
  for (const JsonValue& value : array_at(object, "phases")) {
    JsonObject phase = value.object();
    tables.phases.rows.push_back({operation,
                                  text_at(phase, "phase"),
                                  number_at(phase, "time_us"),
                                  number_at(phase, "share_pct")});
  }
  JsonObject bounds = object.required("bounds").object();
  for (const std::string& key : bounds.keys()) {
    std::string resource = key.ends_with("_us") ? key.substr(0, key.size() - 3) : key;
    if (resource == "sm") resource = "SM";
    tables.bounds.rows.push_back({operation, resource, number_at(bounds, key)});
  }
  for (const JsonValue& value : array_at(object, "busiest")) {
    JsonObject use = value.object();
    tables.busiest.rows.push_back({operation,
                                   text_at(use, "kind"),
                                   text_at(use, "place"),
                                   number_at(use, "busy_pct"),
                                   number_at(use, "size_bytes")});
  }
}

std::string read_operation(const std::string& operation, JsonObject& object, ReportTables& tables) {
  const double latency = number_at(object, "latency_us");
  const NumberPair interval = pair_at(object, "interval_us");
  const double bound = number_at(object, "bound_us");
  const std::string bound_by = text_at(object, "bound_by");
  const JsonValue bottleneck = object.required("bottleneck");
  JsonObject traffic = object.required("traffic").object();
  tables.operations.rows.push_back({operation,
                                    latency,
                                    interval.low,
                                    interval.high,
                                    bound,
                                    bound_by,
                                    bottleneck.is_null() ? Cell{} : Cell{bottleneck.string()},
                                    number_at(traffic, "message_count"),
                                    number_at(traffic, "remote_size_bytes"),
                                    max_over_mean(traffic, "target_ranks"),
                                    max_over_mean(traffic, "experts")});
  read_phases(operation, object, tables);
  const std::string beyond = texts_at(object, "beyond_range");
  return fmt::format(
      "{}: {} [{}, {}]; lower bound {} ({}); {}{}",
      operation,
      spoken_us(latency),
      spoken(interval.low),
      spoken(interval.high),
      spoken_us(bound),
      bound_by,
      bottleneck.is_null() ? "latencies limit, not rates" : "bottleneck " + bottleneck.string(),
      beyond.empty() ? "" : "; out of calibrated range: " + beyond);
}

// When kernels and phases ran, of ranks that stand for the others.
void read_timeline(const std::string& operation,
                   const ResultFile& file,
                   const JsonValue& value,
                   ExportSection& section) {
  ExportTable table{.name = file.table_name("timeline_" + operation),
                    .title = fmt::format("When what ran: {}", operation),
                    .columns = {{"lane", "lane"},
                                {"rank", "rank"},
                                {"role", "role"},
                                {"phase", "phase"},
                                {"start_us", "start, us"},
                                {"end_us", "end, us"}},
                    .rows = {},
                    .filters = {"rank", "role"}};
  JsonObject timeline = value.object();
  for (const JsonValue& element : array_at(timeline, "spans")) {
    JsonObject span = element.object();
    const double rank = number_at(span, "rank");
    const std::string role = text_at(span, "lane");
    table.rows.push_back({fmt::format("rank {:.0f} · {}", rank, role),
                          rank,
                          role,
                          text_at(span, "name"),
                          number_at(span, "start_us"),
                          number_at(span, "end_us")});
  }
  section.charts.push_back({.kind = ChartKind::spans,
                            .title = fmt::format("Timeline of {}", operation),
                            .table = table.name,
                            .x = "start_us",
                            .x_end = "end_us",
                            .y = "lane",
                            .color = "phase",
                            .line = "",
                            .tooltip = {"lane", "phase", "start_us", "end_us"}});
  section.tables.push_back(std::move(table));
}

void read_link_use(const std::string& operation,
                   const ResultFile& file,
                   const JsonValue& value,
                   ExportSection& section) {
  ExportTable table{.name = file.table_name("links_" + operation),
                    .title = fmt::format("How busy links were: {}", operation),
                    .columns = {{"link", "link"}, {"at_us", "time, us"}, {"busy_pct", "busy, %"}},
                    .rows = {},
                    .filters = {}};
  JsonObject use = value.object();
  const JsonValue bin = use.required("bin_us");
  const double bin_us = bin.number();
  if (!(bin_us > 0)) bin.fail_expected("a time above zero");
  for (const JsonValue& element : array_at(use, "links")) {
    JsonObject link = element.object();
    const std::string name = text_at(link, "link");
    double before = 0;
    for (const JsonValue& busy : array_at(link, "busy_pct"))
      table.rows.push_back({name, before++ * bin_us, busy.number()});
  }
  section.charts.push_back({.kind = ChartKind::heat_map,
                            .title = fmt::format("Use of links by {}", operation),
                            .table = table.name,
                            .x = "at_us",
                            .x_end = "",
                            .y = "link",
                            .color = "busy_pct",
                            .line = "",
                            .tooltip = {"link", "at_us", "busy_pct"}});
  section.tables.push_back(std::move(table));
}

ExportChart bars_by_operation(const ExportTable& table, std::string title, std::string x) {
  return {.kind = ChartKind::bars,
          .title = std::move(title),
          .table = table.name,
          .x = x,
          .x_end = "",
          .y = "time_us",
          .color = "operation",
          .line = "",
          .tooltip = {"operation", x, "time_us"}};
}

}  // namespace

ResultSections read_report(const ResultFile& file) {
  JsonObject root = file.root.object();
  JsonObject scenario = root.required("scenario").object();
  ReportTables tables = empty_tables(file);
  ExportSection section{
      .heading = text_at(scenario, "name"), .paragraphs = {}, .charts = {}, .tables = {}};
  ExportSection timeline{.heading = "Timeline", .paragraphs = {}, .charts = {}, .tables = {}};
  const std::string overrides = texts_at(root, "overrides");
  if (!overrides.empty()) section.paragraphs.push_back("Changed: " + overrides);
  for (const JsonValue& value : array_at(root, "operations")) {
    JsonObject object = value.object();
    // A name of a table: one of the words that epsim writes.
    constexpr std::array<std::string_view, 2> kOperations = {"dispatch", "combine"};
    const std::string operation{
        kOperations[object.required("operation").one_of({kOperations.begin(), kOperations.end()})]};
    section.paragraphs.push_back(read_operation(operation, object, tables));
    if (const auto spans = object.optional("timeline"))
      read_timeline(operation, file, *spans, timeline);
    if (const auto use = object.optional("link_use"))
      read_link_use(operation, file, *use, timeline);
  }
  section.charts.push_back(
      bars_by_operation(tables.phases, "What the latency is made of", "phase"));
  section.charts.push_back(
      bars_by_operation(tables.bounds, "What each resource needs at least", "resource"));
  section.tables = {std::move(tables.operations),
                    std::move(tables.phases),
                    std::move(tables.bounds),
                    std::move(tables.busiest)};
  ResultSections sections{std::move(section)};
  if (!timeline.tables.empty()) sections.push_back(std::move(timeline));
  return sections;
}

}  // namespace epsim
