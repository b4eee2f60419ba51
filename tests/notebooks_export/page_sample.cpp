#include "tests/notebooks_export/page_sample.hpp"

#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

double rounded(double value) {
  return std::round(value * 100) / 100;
}

// Invented, but of the size that a decode step on H200 has: a step has a fixed part and one that
// grows with the batch; two micro-batches cost more of the first and hide some of the second.
ExportTable deployments() {
  ExportTable table{.name = "capacity_1",
                    .title = "Deployments that were simulated",
                    .columns = {{"ranks", "EP ranks"},
                                {"batch", "batch per GPU"},
                                {"kernel", "kernels"},
                                {"micro_batches", "micro-batches"},
                                {"tpot_ms", "TPOT, ms"},
                                {"tokens_per_s_per_gpu", "tokens/s/GPU"},
                                {"overlap_pct", "overlap, %"},
                                {"bottleneck", "bottleneck"},
                                {"pareto", "on the front"}},
                    .rows = {},
                    .filters = {"ranks", "micro_batches"}};
  for (const double ranks : {16.0, 32.0, 72.0, 144.0})
    for (const double batch : {16.0, 32.0, 64.0, 128.0, 192.0, 256.0})
      for (const bool is_two : {false, true}) {
        const double communication = (0.06 * batch + 3) * (is_two ? 0.35 : 1);
        const double compute = 9 + (is_two ? 5 : 0) + 220 / ranks + 0.09 * batch;
        const double step_ms = compute + communication;
        const bool is_front = ranks == 144 && (batch < 100 ? !is_two : is_two);
        table.rows.push_back({ranks,
                              batch,
                              "low-latency",
                              is_two ? "two (TBO)" : "one",
                              rounded(step_ms),
                              rounded(1000 * batch / step_ms),
                              is_two ? rounded(65) : 0.0,
                              communication > 7 ? "exposed communication" : "memory of weights",
                              is_front ? 1.0 : 0.0});
      }
  table.rows[5][6] = std::monostate{};
  table.rows[6][7] = "</script><img src=x onerror=alert(1)> & \"quoted\"";
  return table;
}

ExportTable spans() {
  ExportTable table{.name = "timeline_1",
                    .title = "What each GPU did",
                    .columns = {{"lane", "GPU and warps"},
                                {"rank", "rank"},
                                {"phase", "phase"},
                                {"start_us", "start, us"},
                                {"end_us", "end, us"}},
                    .rows = {},
                    .filters = {"phase", "rank"}};
  constexpr std::array<std::array<const char*, 2>, 6> kSteps = {{{"send warps", "cast"},
                                                                 {"send warps", "send"},
                                                                 {"send warps", "signal"},
                                                                 {"receive warps", "wait"},
                                                                 {"receive warps", "receive"},
                                                                 {"receive warps", "store"}}};
  constexpr std::array<double, 7> kEdges = {0.0, 2.4, 17.8, 19.1, 21.6, 30.2, 34.5};
  for (int rank = 0; rank < 8; ++rank)
    for (std::size_t i = 0; i < kSteps.size(); ++i)
      table.rows.push_back({fmt::format("rank {} · {}", rank, kSteps[i][0]),
                            static_cast<double>(rank),
                            kSteps[i][1],
                            i == 3 ? 1.6 : kEdges[i] + 0.17 * rank,
                            kEdges[i + 1] + 0.17 * rank});
  return table;
}

ExportTable link_use() {
  ExportTable table{.name = "links_1",
                    .title = "Links, how busy",
                    .columns = {{"link", "link"}, {"at_us", "time, us"}, {"busy_pct", "busy, %"}},
                    .rows = {},
                    .filters = {}};
  for (int link = 0; link < 16; ++link)
    for (int bin = 0; bin < 60; ++bin) {
      const double wave = std::sin((bin - link % 8) / 60.0 * 3.14159);
      table.rows.push_back({link < 8 ? fmt::format("gpu{}->nvswitch0", link)
                                     : fmt::format("nvswitch0->gpu{}", link - 8),
                            rounded(bin * 0.58),
                            std::max(0.0, std::round(100 * wave * wave - 4 * (link % 3)))});
    }
  return table;
}

ExportTable streams() {
  ExportTable table{.name = "step_1",
                    .title = "Tasks of the step",
                    .columns = {{"stream", "stream"},
                                {"task", "task"},
                                {"class", "class"},
                                {"layer", "layer"},
                                {"start_us", "start, us"},
                                {"end_us", "end, us"}},
                    .rows = {},
                    .filters = {"class"}};
  constexpr std::array<const char*, 4> kTasks = {"attention", "experts", "dispatch", "combine"};
  for (int layer = 0; layer < 10; ++layer)
    for (std::size_t task = 0; task < kTasks.size(); ++task) {
      const bool is_compute = task < 2;
      const double start = layer * 760 + (task % 2 == 1 ? 370 : 0) + (is_compute ? 0 : 150);
      table.rows.push_back({is_compute ? "compute" : "communication",
                            kTasks[task],
                            is_compute ? "compute" : "communication",
                            static_cast<double>(layer),
                            start,
                            start + (is_compute ? 350 : 280)});
    }
  return table;
}

ExportTable accuracy() {
  return {.name = "accuracy_1",
          .title = "Predicted against measured",
          .columns = {{"operation", "operation"},
                      {"tokens", "tokens per GPU"},
                      {"error_pct", "median error, %"}},
          .rows = {{"dispatch", 128.0, 2.3},
                   {"dispatch", 1024.0, 3.1},
                   {"dispatch", 4096.0, 1.2},
                   {"combine", 128.0, 4.4},
                   {"combine", 1024.0, 2.9},
                   {"combine", 4096.0, 3.6}},
          .filters = {"operation"}};
}

ExportChart chart(
    ChartKind kind, const char* title, const char* table, const char* x, const char* y) {
  ExportChart chart;
  chart.kind = kind;
  chart.title = title;
  chart.table = table;
  chart.x = x;
  chart.y = y;
  return chart;
}

ExportSection section(const char* heading, const char* paragraph, ExportTable table) {
  return {
      .heading = heading, .paragraphs = {paragraph}, .charts = {}, .tables = {std::move(table)}};
}

ExportSection capacity_section() {
  ExportSection all = section("Throughput against latency",
                              "Take EP 144 with batch 192 and two micro-batches, within the 50 ms "
                              "asked for. Two micro-batches pay from batch 128 on.",
                              deployments());
  ExportChart pareto = chart(ChartKind::points,
                             "Throughput against time per output token",
                             "capacity_1",
                             "tpot_ms",
                             "tokens_per_s_per_gpu");
  pareto.color = "micro_batches";
  pareto.tooltip = {
      "ranks", "batch", "micro_batches", "tpot_ms", "tokens_per_s_per_gpu", "bottleneck"};
  ExportChart batches = pareto;
  pareto.line = "pareto";
  batches.title = "Time per output token against batch";
  batches.x = "batch";
  batches.y = "tpot_ms";
  batches.log_x = true;
  all.charts = {pareto, batches};
  return all;
}

ExportSection timeline_section() {
  ExportSection all = section(
      "Timeline", "One dispatch of 128 tokens. A lane stands for all warps of its role.", spans());
  all.charts = {chart(ChartKind::spans, "Phases on each GPU", "timeline_1", "start_us", "lane")};
  all.charts[0].x_end = "end_us";
  all.charts[0].color = "phase";
  all.charts[0].tooltip = {"phase", "start_us", "end_us"};
  return all;
}

ExportSection link_section() {
  ExportSection all =
      section("Links", "The share of each bin in which a link carried data.", link_use());
  all.charts = {chart(ChartKind::heat_map, "How busy each link was", "links_1", "at_us", "link")};
  all.charts[0].color = "busy_pct";
  all.charts[0].tooltip = {"link", "at_us", "busy_pct"};
  return all;
}

ExportSection overlap_section() {
  ExportSection all = section("Overlap", "What runs beside what.", streams());
  all.charts = {chart(ChartKind::spans, "Streams of one step", "step_1", "start_us", "stream")};
  all.charts[0].x_end = "end_us";
  all.charts[0].color = "class";
  all.charts[0].tooltip = {"task", "layer", "start_us", "end_us"};
  return all;
}

ExportSection accuracy_section() {
  ExportSection all = section("Accuracy", "Of operations that no fit has seen.", accuracy());
  all.charts = {
      chart(ChartKind::bars, "Median error by tokens", "accuracy_1", "tokens", "error_pct")};
  all.charts[0].color = "operation";
  all.charts[0].tooltip = {"operation", "tokens", "error_pct"};
  return all;
}

}  // namespace

ExportDocument page_sample() {
  return {.title = "Serving DeepSeek-V3 decode on H200: 48 deployments",
          .command = "epsim export plan.json run.json --html report.html",
          .sections = {capacity_section(),
                       timeline_section(),
                       link_section(),
                       overlap_section(),
                       accuracy_section()}};
}

}  // namespace epsim
