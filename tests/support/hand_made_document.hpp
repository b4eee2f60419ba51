// hand_made_document: a small export document with a chart of every kind, whose marks can be
// counted by hand.
#pragma once

#include <string>
#include <vector>

#include "notebooks_export/export_document.hpp"

namespace epsim {

// Five deployments: three on the line; one has no latency, so that no chart of it shows it.
inline ExportTable deployments_table() {
  return {
      .name = "deployments",
      .title = "Deployments",
      .columns = {{"ranks", "ranks"},
                  {"kernel", "kernel"},
                  {"latency_ms", "latency, ms"},
                  {"tokens_per_s_per_gpu", "tokens/s/GPU"},
                  {"pareto", "on the Pareto line"}},
      .rows = {{8.0, std::string("ll"), 20.5, 900.0, 1.0},
               {16.0, std::string("ll"), 31.0, 1500.0, 1.0},
               {32.0, std::string("normal"), 44.0, 1450.0, 0.0},
               {32.0, std::string("normal"), 60.0, 2100.0, 1.0},
               {64.0, std::string("ll"), Cell{}, 2500.0, 0.0}},
      .filters = {"kernel"},
  };
}

inline ExportTable tasks_table() {
  return {
      .name = "tasks",
      .title = "Tasks of a step",
      .columns = {{"stream", "stream"},
                  {"class", "class"},
                  {"start_us", "start, us"},
                  {"end_us", "end, us"}},
      .rows = {{std::string("compute"), std::string("compute"), 0.0, 10.0},
               {std::string("communication"), std::string("communication"), 4.0, 12.5},
               {std::string("compute"), std::string("compute"), 12.5, 20.0}},
      .filters = {},
  };
}

// Two links in three bins.
inline ExportTable links_table() {
  ExportTable table{
      .name = "links",
      .title = "Links",
      .columns = {{"link", "link"}, {"at_us", "time, us"}, {"busy_pct", "busy, %"}},
      .rows = {},
      .filters = {},
  };
  for (const char* link : {"gpu0->switch", "switch->gpu1"})
    for (int bin = 0; bin < 3; ++bin)
      table.rows.push_back({std::string(link), 0.5 * bin, 30.0 * bin + (link[0] == 'g' ? 0 : 5)});
  return table;
}

// Two operations of three and two phases.
inline ExportTable phases_table() {
  return {
      .name = "phases",
      .title = "Phases",
      .columns = {{"phase", "phase"}, {"operation", "operation"}, {"time_us", "time, us"}},
      .rows = {{std::string("launch"), std::string("dispatch"), 1.9},
               {std::string("cast"), std::string("dispatch"), 3.6},
               {std::string("wire"), std::string("dispatch"), 19.2},
               {std::string("launch"), std::string("combine"), 1.7},
               {std::string("wire"), std::string("combine"), 54.5}},
      .filters = {"operation"},
  };
}

inline ExportChart points_chart() {
  return {.kind = ChartKind::points,
          .title = "Throughput against latency",
          .table = "deployments",
          .x = "latency_ms",
          .x_end = "",
          .y = "tokens_per_s_per_gpu",
          .color = "kernel",
          .line = "pareto",
          .tooltip = {"ranks", "kernel", "latency_ms"}};
}
inline ExportChart spans_chart() {
  return {.kind = ChartKind::spans,
          .title = "Streams of a step",
          .table = "tasks",
          .x = "start_us",
          .x_end = "end_us",
          .y = "stream",
          .color = "class",
          .line = "",
          .tooltip = {"class", "start_us", "end_us"}};
}
inline ExportChart heat_chart() {
  return {.kind = ChartKind::heat_map,
          .title = "How busy links are",
          .table = "links",
          .x = "at_us",
          .x_end = "",
          .y = "link",
          .color = "busy_pct",
          .line = "",
          .tooltip = {"link", "at_us", "busy_pct"}};
}
inline ExportChart bars_chart() {
  return {.kind = ChartKind::bars,
          .title = "Phases on the critical path",
          .table = "phases",
          .x = "phase",
          .x_end = "",
          .y = "time_us",
          .color = "operation",
          .line = "",
          .tooltip = {"phase", "operation", "time_us"}};
}

inline ExportDocument hand_made_document() {
  return {
      .title = "Results <of> a \"test\" & more",
      .command = "epsim export made_by_hand.json --notebook results.ipynb",
      .sections = {{.heading = "Deployments",
                    .paragraphs = {"Which way of serving gives what, *with* signs."},
                    .charts = {points_chart()},
                    .tables = {deployments_table()}},
                   {.heading = "Timeline",
                    .paragraphs = {},
                    .charts = {spans_chart(), heat_chart(), bars_chart()},
                    .tables = {tasks_table(), links_table(), phases_table()}}},
  };
}

}  // namespace epsim
