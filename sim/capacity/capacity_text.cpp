#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "sim/base/wrapped_text.hpp"
#include "sim/capacity/capacity_plan.hpp"
#include "sim/capacity/capacity_words.hpp"

namespace epsim {
namespace {

constexpr std::size_t kRefusedIndent = 9;
// Rows of the Pareto table; of a longer set every so many-th, with both ends and the chosen one.
constexpr std::size_t kMostRows = 14;
constexpr double kLeastGain = 0.5;   // of two micro-batches, %: less is no gain
constexpr std::size_t kIndent = 13;  // where what follows a label begins
constexpr std::size_t kWidth = 110;  // columns of a sentence's line

std::string_view latency_word(const CapacityPlan& plan) {
  return plan.question.phase == ServingPhase::prefill ? "TTFT" : "TPOT";
}

std::string heading(const CapacityPlan& plan) {
  const CapacityQuestion& question = plan.question;
  const ModelDescription& model = question.model;
  std::string text = fmt::format("{} on {} x {} ({}), {}\n",
                                 model.name,
                                 question.gpus,
                                 plan.gpu,
                                 question.system,
                                 kServingPhaseNames[static_cast<std::size_t>(question.phase)]);
  text += fmt::format("  {} layers, {} of them with {} experts, top-{}; {:.0f} B weights\n",
                      model.layers,
                      model.moe_layers,
                      model.experts,
                      model.top_k,
                      total_weights(model) / 1e9);
  text += fmt::format("  prompts of {} tokens, answers of {}; load on experts: {}\n",
                      question.lengths.input,
                      question.lengths.output,
                      question.routing);
  if (question.slo_ms)
    text += fmt::format("  {} at most {:g} ms\n", latency_word(plan), *question.slo_ms);
  return text;
}

std::string counts_text(const SearchCounts& counts) {
  return fmt::format(
      "\n{} deployments: {} impossible, {} too large for memory, {} too slow and {} worse than "
      "another by a bound, {} simulated\n",
      counts.enumerated,
      counts.impossible,
      counts.too_large,
      counts.too_slow,
      counts.dominated,
      counts.simulated);
}

std::string layout_words(const Deployment& deployment) {
  std::string words = fmt::format("EP {}", deployment.ranks);
  if (deployment.attention_ranks > 1) words += fmt::format(" TP {}", deployment.attention_ranks);
  if (deployment.redundant_experts > 0) words += fmt::format(" +{}", deployment.redundant_experts);
  return words;
}

std::string kernel_words(const Deployment& deployment) {
  if (deployment.kernel.empty()) return "none";
  if (deployment.sms == 0) return deployment.kernel;
  return fmt::format("{}, {} SMs", deployment.kernel, deployment.sms);
}

std::string row_of(const CapacityPlan& plan, std::size_t index) {
  const DeploymentResult& result = plan.results[index];
  const Deployment& deployment = result.deployment;
  const bool is_chosen = plan.recommended == index || plan.nearest == index;
  return fmt::format(
      "{} {:<16}{:>6}  {:<5}{:<36}{:>9.1f} {:<17}{:>9.0f}{:>8}{:>12.1f}  {} {:.0f} %\n",
      is_chosen ? '*' : ' ',
      layout_words(deployment),
      deployment.batch,
      kMicroBatchingNames[static_cast<std::size_t>(deployment.micro_batching)],
      kernel_words(deployment),
      result.latency_ms,
      fmt::format("[{:.1f}, {:.1f}]", result.latency_low_ms, result.latency_high_ms),
      result.tokens_per_s_per_gpu,
      deployment.ranks == 1 ? "-" : fmt::format("{:.0f} %", result.overlap_pct),
      result.exposed_us / 1e3,
      result.parts.front().name,
      100 * result.parts.front().share);
}

std::vector<std::size_t> shown_rows(const CapacityPlan& plan) {
  if (plan.pareto.size() <= kMostRows) return plan.pareto;
  std::vector<std::size_t> rows;
  const std::size_t last = plan.pareto.size() - 1;
  for (std::size_t i = 0; i < kMostRows; ++i)
    rows.push_back(plan.pareto[i * last / (kMostRows - 1)]);
  for (const auto& chosen : {plan.recommended, plan.nearest})
    if (chosen && std::find(rows.begin(), rows.end(), *chosen) == rows.end()) {
      const auto place = std::find(plan.pareto.begin(), plan.pareto.end(), *chosen);
      const auto after = std::find_if(rows.begin(), rows.end(), [&](std::size_t row) {
        return std::find(plan.pareto.begin(), plan.pareto.end(), row) > place;
      });
      rows.insert(after, *chosen);
    }
  return rows;
}

std::string table(const CapacityPlan& plan) {
  if (plan.results.empty()) return {};
  std::string text = fmt::format("\n  {:<16}{:>6}  {:<5}{:<36}{:>9} {:<17}{:>9}{:>8}{:>12}  {}\n",
                                 "layout",
                                 "batch",
                                 "TBO",
                                 "kernels",
                                 fmt::format("{} ms", latency_word(plan)),
                                 "80 % within",
                                 "tok/s/GPU",
                                 "hidden",
                                 "exposed ms",
                                 "most of a step");
  const std::vector<std::size_t> rows = shown_rows(plan);
  for (const std::size_t index : rows) text += row_of(plan, index);
  const std::size_t left_out = plan.pareto.size() - rows.size();
  if (left_out > 0) text += fmt::format("  {} more of the Pareto set: --json\n", left_out);
  return text;
}

// A sentence behind its label.
std::string labelled(std::string_view label, std::string_view sentence) {
  return fmt::format("  {:<{}}{}\n", label, kIndent - 2, wrapped(sentence, kIndent, kWidth));
}

std::string memory_text(const MemoryUse& memory) {
  const auto gb = [](double bytes) { return bytes / 1e9; };
  std::string text = fmt::format(
      "  memory     {:.1f} of {:.1f} GB a GPU: weights {:.1f}, KV cache {:.1f}, exchange buffers "
      "{:.2f}, activations {:.1f}\n",
      gb(memory.total()),
      gb(memory.capacity),
      gb(memory.weights),
      gb(memory.cache),
      gb(memory.buffers),
      gb(memory.activations));
  if (memory.buffers_needed > 0 && memory.buffers > memory.buffers_needed)
    text += fmt::format("             of the buffers {:.0f} % are for what even load never sends\n",
                        100 * (1 - memory.buffers_needed / memory.buffers));
  return text;
}

std::string two_batch_text(const CapacityPlan& plan) {
  const TwoBatchVerdict& verdict = plan.two_batch;
  if (verdict.batches.empty()) return {};
  const auto most = std::max_element(verdict.gain_pct.begin(), verdict.gain_pct.end());
  const auto best = static_cast<std::size_t>(most - verdict.gain_pct.begin());
  const std::string extreme =
      fmt::format("{:+.0f} % tokens/s at batch {}", *most, verdict.batches[best]);
  if (verdict.pays_from)
    return fmt::format("  TBO        pays from batch {} on ({})\n", *verdict.pays_from, extreme);
  return fmt::format("  TBO        {} (best: {})\n",
                     *most > kLeastGain ? "pays at some batches only" : "pays at no batch tried",
                     extreme);
}

// What a step spends its time on.
std::string step_text(const DeploymentResult& result) {
  std::string text = "  a step is  ";
  for (std::size_t i = 0; i < std::min<std::size_t>(4, result.parts.size()); ++i)
    text += fmt::format(
        "{}{} {:.0f} %", i == 0 ? "" : ", ", result.parts[i].name, 100 * result.parts[i].share);
  text += '\n';
  if (result.deployment.ranks > 1)
    text += fmt::format(
        "  exchange   dispatch {:.0f} us and combine {:.0f} us a layer and micro-batch, {:.0f} % "
        "hidden, {:.1f} of {:.1f} ms exposed\n",
        result.dispatch_us,
        result.combine_us,
        result.overlap_pct,
        result.exposed_us / 1e3,
        result.step_us / 1e3);
  return text;
}

std::string chosen_text(const CapacityPlan& plan) {
  if (!plan.recommended)
    return fmt::format("\nrefused: {}\n", wrapped(plan.reason, kRefusedIndent, kWidth));
  const DeploymentResult& result = plan.results[*plan.recommended];
  std::string text = fmt::format("\nrecommended: {}\n", deployment_words(result.deployment));
  text += labelled("because", plan.reason);
  text += fmt::format(
      "  gives      {:.0f} tokens/s/GPU [{:.0f}, {:.0f}], {} {:.1f} ms [{:.1f}, {:.1f}]",
      result.tokens_per_s_per_gpu,
      result.throughput_low,
      result.throughput_high,
      latency_word(plan),
      result.latency_ms,
      result.latency_low_ms,
      result.latency_high_ms);
  const std::uint32_t instances = plan.question.gpus / result.deployment.ranks;
  const std::uint32_t used = instances * result.deployment.ranks;
  text += fmt::format("; {} instance{} on {} GPU{}\n",
                      instances,
                      instances == 1 ? "" : "s",
                      used,
                      used == 1 ? "" : "s");
  text += step_text(result);
  if (result.expert_imbalance > 1.005)
    text += fmt::format("  load       busiest rank {:.2f} x mean\n", result.expert_imbalance);
  text += memory_text(result.memory) + two_batch_text(plan);
  for (const std::string& line : result.beyond_range)
    text += labelled("unseen", "exchange: " + line);
  return text;
}

}  // namespace

std::string capacity_text(const CapacityPlan& plan) {
  std::string text = heading(plan) + counts_text(plan.counts) + table(plan) + chosen_text(plan);
  for (const std::string& note : plan.notes) text += labelled("note", note);
  return text;
}

}  // namespace epsim
