#include "notebooks_export/capacity_row.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace epsim {
namespace {

void read_memory(JsonObject& object, CapacityRow& row) {
  JsonObject memory = object.required("memory").object();
  const double buffers = number_at(memory, "buffers_bytes");
  const double needed = number_at(memory, "buffers_needed_bytes");
  row.memory = {{"weights", number_at(memory, "weights_bytes")},
                {"cache", number_at(memory, "cache_bytes")},
                {"buffers, needed", std::min(buffers, needed)},
                {"buffers, in reserve", std::max(buffers - needed, 0.0)},
                {"activations", number_at(memory, "activations_bytes")}};
  row.memory_capacity = number_at(memory, "capacity_bytes");
}

}  // namespace

AskedQuestion read_question(JsonObject& root) {
  JsonObject object = root.required("question").object();
  AskedQuestion question{.model = text_at(object, "model"),
                         .system = text_at(object, "system"),
                         .phase = text_at(object, "phase"),
                         .gpus = number_at(object, "gpus"),
                         .input_tokens = number_at(object, "input_tokens"),
                         .output_tokens = number_at(object, "output_tokens"),
                         .slo_ms = {}};
  const JsonValue slo = object.required("slo_ms");
  if (!slo.is_null()) question.slo_ms = slo.number();
  return question;
}

CapacityRow read_capacity_row(const JsonValue& value) {
  JsonObject object = value.object();
  CapacityRow row;
  row.ranks = number_at(object, "ranks");
  row.attention_ranks = number_at(object, "attention_ranks");
  row.batch = number_at(object, "batch");
  row.micro_batching = text_at(object, "micro_batching");
  row.redundant_experts = number_at(object, "redundant_experts");
  row.kernel = text_at(object, "kernel");
  row.sms = number_at(object, "sms");
  row.words = {fmt::format("EP {:.0f}", row.ranks),
               fmt::format("TP {:.0f}", row.attention_ranks),
               fmt::format("batch {:.0f}", row.batch),
               row.micro_batching == "none" ? "" : row.micro_batching,
               fmt::format("+{:.0f} experts", row.redundant_experts),
               row.kernel.empty() ? "no exchange" : row.kernel,
               fmt::format("{:.0f} SMs", row.sms)};
  // A single rank exchanges with nobody.
  row.way = (row.kernel.empty() ? "no exchange" : row.kernel) +
            (row.micro_batching == "none" ? "" : ", " + row.micro_batching);
  row.step_us = number_at(object, "step_us");
  row.latency_ms = number_at(object, "latency_ms");
  row.latency = pair_at(object, "latency_interval_ms");
  row.throughput = number_at(object, "tokens_per_s_per_gpu");
  row.throughputs = pair_at(object, "throughput_interval");
  row.compute_us = number_at(object, "compute_us");
  row.exposed_us = number_at(object, "exposed_us");
  row.overlap_pct = number_at(object, "overlap_pct");
  row.dispatch_us = number_at(object, "dispatch_us");
  row.combine_us = number_at(object, "combine_us");
  row.expert_imbalance = number_at(object, "expert_imbalance");
  row.meets_slo = flag_at(object, "meets_slo");
  row.pareto = flag_at(object, "pareto");
  for (const JsonValue& element : array_at(object, "parts")) {
    JsonObject part = element.object();
    row.parts.emplace_back(text_at(part, "name"), number_at(part, "share"));
  }
  read_memory(object, row);
  row.beyond_range = texts_at(object, "beyond_range");
  return row;
}

std::vector<std::string> deployment_names(const std::vector<const CapacityRow*>& rows) {
  std::vector<std::string> names(rows.size());
  const std::size_t axes = rows.empty() ? 0 : rows.front()->words.size();
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::set<std::string> words;
    for (const CapacityRow* row : rows) words.insert(row->words[axis]);
    for (std::size_t r = 0; r < rows.size(); ++r)
      if (words.size() > 1 && !rows[r]->words[axis].empty())
        names[r] += (names[r].empty() ? "" : " · ") + rows[r]->words[axis];
  }
  for (std::size_t r = 0; r < rows.size(); ++r)
    if (names[r].empty()) names[r] = rows[r]->words.front();
  return names;
}

}  // namespace epsim
