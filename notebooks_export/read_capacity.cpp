// epsim.capacity/1: ways of serving a model, and which to take.
#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "notebooks_export/capacity_row.hpp"
#include "notebooks_export/result_file.hpp"

namespace epsim {
namespace {

constexpr std::size_t kMostCompared = 8;  // deployments side by side, before bars become lines
constexpr double kLeastShare = 0.03;      // of a step, for a part to have a name of its own
constexpr double kBytesPerGb = 1e9;

ExportTable empty_deployments_table(const ResultFile& file, const AskedQuestion& question) {
  const std::string latency = question.latency_label();
  return {.name = file.table_name("deployments"),
          .title = "Deployments that were simulated",
          .columns = {{"deployment", "deployment"},
                      {"way", "way of serving"},
                      {"ranks", "EP ranks"},
                      {"attention_ranks", "attention TP"},
                      {"batch", "batch of an attention group"},
                      {"micro_batching", "micro-batches"},
                      {"redundant_experts", "redundant experts"},
                      {"kernel", "kernel"},
                      {"sms", "SMs that communicate"},
                      {"latency_ms", latency},
                      {"latency_low_ms", latency + ", from"},
                      {"latency_high_ms", latency + ", to"},
                      {"tokens_per_s_per_gpu", "tokens/s/GPU"},
                      {"tokens_per_s_per_gpu_low", "tokens/s/GPU, from"},
                      {"tokens_per_s_per_gpu_high", "tokens/s/GPU, to"},
                      {"step_us", "step, us"},
                      {"compute_us", "compute, us"},
                      {"exposed_us", "exposed communication, us"},
                      {"overlap_pct", "overlap, %"},
                      {"dispatch_us", "dispatch alone, us"},
                      {"combine_us", "combine alone, us"},
                      {"expert_imbalance", "busiest rank, of the mean"},
                      {"bottleneck", "bottleneck"},
                      {"memory_gb", "memory of a GPU, GB"},
                      {"meets_slo", "meets the target", true},
                      {"pareto", "on the Pareto line", true},
                      {"beyond_range", "beyond calibration"}},
          .rows = {},
          .filters = {"way", "ranks", "micro_batching", "kernel", "meets_slo", "pareto"}};
}

ExportTable deployments_table(const ResultFile& file,
                              const AskedQuestion& question,
                              const std::vector<CapacityRow>& rows) {
  ExportTable table = empty_deployments_table(file, question);
  std::vector<const CapacityRow*> all;
  for (const CapacityRow& row : rows) all.push_back(&row);
  const std::vector<std::string> names = deployment_names(all);
  for (const CapacityRow& row : rows) {
    double memory = 0;
    for (const auto& [name, bytes] : row.memory) memory += bytes;
    table.rows.push_back({names[table.rows.size()],
                          row.way,
                          row.ranks,
                          row.attention_ranks,
                          row.batch,
                          row.micro_batching,
                          row.redundant_experts,
                          row.kernel,
                          row.sms,
                          row.latency_ms,
                          row.latency.low,
                          row.latency.high,
                          row.throughput,
                          row.throughputs.low,
                          row.throughputs.high,
                          row.step_us,
                          row.compute_us,
                          row.exposed_us,
                          row.overlap_pct,
                          row.dispatch_us,
                          row.combine_us,
                          row.expert_imbalance,
                          row.parts.empty() ? "" : row.parts.front().first,
                          memory / kBytesPerGb,
                          row.meets_slo,
                          row.pareto,
                          row.beyond_range});
  }
  return table;
}

ExportChart pareto_chart(const ExportTable& table, const std::vector<CapacityRow>& rows) {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  for (const CapacityRow& row : rows) {
    low = std::min(low, row.latency_ms);
    high = std::max(high, row.latency_ms);
  }
  return {.kind = ChartKind::points,
          .title = "Throughput against latency; the line joins what nothing beats in both",
          .table = table.name,
          .x = "latency_ms",
          .x_end = "",
          .y = "tokens_per_s_per_gpu",
          .color = "way",
          .line = "pareto",
          .tooltip = {"deployment",
                      "kernel",
                      "latency_ms",
                      "tokens_per_s_per_gpu",
                      "overlap_pct",
                      "exposed_us",
                      "bottleneck",
                      "memory_gb",
                      "meets_slo",
                      "beyond_range"},
          .log_x = low > 0 && high > 20 * low};
}

// Of the Pareto line by rising latency: as many as can be told apart, evenly taken.
std::vector<const CapacityRow*> compared_rows(const std::vector<CapacityRow>& rows) {
  std::vector<const CapacityRow*> line;
  for (const CapacityRow& row : rows)
    if (row.pareto == 1) line.push_back(&row);
  std::stable_sort(line.begin(), line.end(), [](const CapacityRow* a, const CapacityRow* b) {
    return a->latency_ms < b->latency_ms;
  });
  if (line.size() <= kMostCompared) return line;
  std::vector<const CapacityRow*> some;
  for (std::size_t i = 0; i < kMostCompared; ++i)
    some.push_back(line[i * (line.size() - 1) / (kMostCompared - 1)]);
  return some;
}

void add_parts(const ResultFile& file,
               const std::vector<const CapacityRow*>& rows,
               ExportSection& section) {
  ExportTable parts{
      .name = file.table_name("parts"),
      .title = "What a step is spent on, along the Pareto line",
      .columns = {{"deployment", "deployment"}, {"part", "part"}, {"share_pct", "of the step, %"}},
      .rows = {},
      .filters = {"part"}};
  ExportTable memory{.name = file.table_name("memory"),
                     .title = "Memory of a GPU, along the Pareto line",
                     .columns = {{"deployment", "deployment"},
                                 {"use", "use"},
                                 {"size_gb", "GB"},
                                 {"may_be_used_gb", "that may be used, GB"}},
                     .rows = {},
                     .filters = {"use"}};
  const std::vector<std::string> names = deployment_names(rows);
  std::set<std::string> large;
  for (const CapacityRow* row : rows)
    for (const auto& [name, share] : row->parts)
      if (share >= kLeastShare) large.insert(name);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    double others = 0;
    for (const auto& [name, share] : rows[r]->parts) {
      if (large.contains(name))
        parts.rows.push_back({names[r], name, 100 * share});
      else
        others += 100 * share;
    }
    if (others > 0) parts.rows.push_back({names[r], std::string("others"), others});
    for (const auto& [name, bytes] : rows[r]->memory)
      memory.rows.push_back(
          {names[r], name, bytes / kBytesPerGb, rows[r]->memory_capacity / kBytesPerGb});
  }
  const auto bars = [](const ExportTable& table, std::string color, std::string y) {
    return ExportChart{.kind = ChartKind::bars,
                       .title = table.title,
                       .table = table.name,
                       .x = "deployment",
                       .x_end = "",
                       .y = y,
                       .color = color,
                       .line = "",
                       .tooltip = {"deployment", color, y}};
  };
  section.charts.push_back(bars(parts, "part", "share_pct"));
  section.charts.push_back(bars(memory, "use", "size_gb"));
  section.tables.push_back(std::move(parts));
  section.tables.push_back(std::move(memory));
}

void add_two_batch(const ResultFile& file, JsonObject& root, ExportSection& section) {
  JsonObject verdict = root.required("two_batch").object();
  const JsonValue pays_from = verdict.required("pays_from");
  const std::vector<JsonValue> batches = array_at(verdict, "batches");
  const JsonValue gain_list = verdict.required("gain_pct");
  const std::vector<JsonValue> gains = gain_list.array();
  if (gains.size() != batches.size())
    gain_list.fail_expected(fmt::format("{} numbers, one a batch", batches.size()));
  if (batches.empty()) return;
  section.paragraphs.push_back(
      pays_from.is_null()
          ? "Two micro-batches pay at none of the batches that were tried."
          : fmt::format("Two micro-batches pay from batch {:.0f} on.", pays_from.number()));
  ExportTable table{
      .name = file.table_name("two_batch"),
      .title = "What two micro-batches give over one, all else as recommended",
      .columns = {{"batch", "batch of an attention group"}, {"gain_pct", "gain of throughput, %"}},
      .rows = {},
      .filters = {}};
  for (std::size_t i = 0; i < batches.size(); ++i)
    table.rows.push_back({batches[i].number(), gains[i].number()});
  section.charts.push_back({.kind = ChartKind::bars,
                            .title = table.title,
                            .table = table.name,
                            .x = "batch",
                            .x_end = "",
                            .y = "gain_pct",
                            .color = "",
                            .line = "",
                            .tooltip = {"batch", "gain_pct"}});
  section.tables.push_back(std::move(table));
}

std::string counts_text(JsonObject& root) {
  JsonObject counts = root.required("counts").object();
  return fmt::format(
      "{:.0f} deployments were thought of: {:.0f} are impossible for the kernels, {:.0f} too large "
      "for memory, "
      "{:.0f} too slow for the target by a bound, {:.0f} beaten by another by the same bound; "
      "{:.0f} were "
      "simulated.",
      number_at(counts, "enumerated"),
      number_at(counts, "impossible"),
      number_at(counts, "too_large"),
      number_at(counts, "too_slow"),
      number_at(counts, "dominated"),
      number_at(counts, "simulated"));
}

// The row that the planner points to comes first and has a way of serving of its own: a chart shows
// it in the first colour.
void mark_row(JsonObject& root,
              std::string_view key,
              std::string_view word,
              std::vector<CapacityRow>& rows) {
  const JsonValue index = root.required(key);
  if (index.is_null()) return;
  if (rows.empty()) index.fail_expected("null where there are no results");
  const auto most = static_cast<std::int64_t>(rows.size()) - 1;
  const auto row = rows.begin() + index.integer_in(0, most);
  row->way = word;
  std::rotate(rows.begin(), row, row + 1);
}

// What is recommended and why, or why nothing is.
std::string answer_text(JsonObject& root, const std::vector<CapacityRow>& rows) {
  const std::string reason = text_at(root, "reason");
  if (rows.empty() || root.required("recommended").is_null())
    return fmt::format("Nothing is recommended: {}.", reason);
  const CapacityRow& row = rows.front();
  std::string way = fmt::format("EP {:.0f} with attention TP {:.0f}, batch {:.0f}",
                                row.ranks,
                                row.attention_ranks,
                                row.batch);
  if (row.micro_batching != "none") way += ", two micro-batches";
  if (!row.kernel.empty()) way += ", " + row.kernel;
  if (row.sms > 0) way += fmt::format(" on {:.0f} SMs", row.sms);
  if (row.redundant_experts > 0)
    way += fmt::format(", {:.0f} copies of experts", row.redundant_experts);
  return fmt::format("Recommended: {}; {:.0f} tokens/s/GPU at {} ms. Why: {}.",
                     way,
                     row.throughput,
                     spoken(row.latency_ms),
                     reason);
}

}  // namespace

ResultSections read_capacity(const ResultFile& file) {
  JsonObject root = file.root.object();
  const AskedQuestion question = read_question(root);
  std::vector<CapacityRow> rows;
  for (const JsonValue& value : array_at(root, "results")) rows.push_back(read_capacity_row(value));
  if (root.required("recommended").is_null())
    mark_row(root, "nearest", "nearest to the target", rows);
  else
    mark_row(root, "recommended", "recommended", rows);
  ExportSection section{.heading = fmt::format("{} of {} on {:.0f} GPUs of {}",
                                               question.is_prefill() ? "Prefill" : "Decode",
                                               question.model,
                                               question.gpus,
                                               question.system),
                        .paragraphs = {answer_text(root, rows)},
                        .charts = {},
                        .tables = {}};
  section.paragraphs.push_back(fmt::format(
      "Prompts of {:.0f} tokens, answers of {:.0f}; {} {}.",
      question.input_tokens,
      question.output_tokens,
      question.is_prefill() ? "time to first token" : "time per output token",
      question.slo_ms ? "at most " + spoken(*question.slo_ms) + " ms" : "of any length"));
  section.paragraphs.push_back(counts_text(root));
  ExportTable table = deployments_table(file, question, rows);
  section.charts.push_back(pareto_chart(table, rows));
  section.tables.push_back(std::move(table));
  add_two_batch(file, root, section);
  add_parts(file, compared_rows(rows), section);
  std::string notes;
  for (const JsonValue& note : array_at(root, "notes"))
    notes += (notes.empty() ? "Notes: " : "; ") + note.string();
  if (!notes.empty()) section.paragraphs.push_back(notes + ".");
  return {std::move(section)};
}

}  // namespace epsim
