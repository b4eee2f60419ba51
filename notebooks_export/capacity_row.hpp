// CapacityRow: one deployment of a capacity plan, as its file tells it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "notebooks_export/result_file.hpp"

namespace epsim {

struct AskedQuestion {
  std::string model, system, phase;
  double gpus = 0, input_tokens = 0, output_tokens = 0;
  std::optional<double> slo_ms;

  [[nodiscard]] bool is_prefill() const { return phase == "prefill"; }
  [[nodiscard]] std::string latency_label() const {
    return is_prefill() ? "time to first token, ms" : "time per output token, ms";
  }
};
[[nodiscard]] AskedQuestion read_question(JsonObject& root);

// A way of serving, and what the planner found for it.
struct CapacityRow {
  std::vector<std::string> words;  // one an axis: "EP 32", "batch 128"
  std::string way;
  std::string kernel, micro_batching;
  double ranks = 0, attention_ranks = 0, batch = 0, redundant_experts = 0, sms = 0;
  double step_us = 0, latency_ms = 0, throughput = 0;
  NumberPair latency{}, throughputs{};
  double compute_us = 0, exposed_us = 0, overlap_pct = 0, dispatch_us = 0, combine_us = 0;
  double expert_imbalance = 0, meets_slo = 0, pareto = 0;
  std::vector<std::pair<std::string, double>> parts;   // of the step, with shares
  std::vector<std::pair<std::string, double>> memory;  // with bytes
  double memory_capacity = 0;
  std::string beyond_range;
};
[[nodiscard]] CapacityRow read_capacity_row(const JsonValue& value);

// A name a row, of what is not the same in all of them.
[[nodiscard]] std::vector<std::string> deployment_names(
    const std::vector<const CapacityRow*>& rows);

}  // namespace epsim
