#include "sim/capacity/capacity_words.hpp"

#include <fmt/format.h>

namespace epsim {
namespace {

std::string_view latency_name(ServingPhase phase) {
  return phase == ServingPhase::prefill ? "time to first token" : "time per output token";
}

std::string gigabytes(double bytes) {
  return fmt::format("{:.1f} GB", bytes / 1e9);
}

// What the recommended deployment gives up for throughput, or what kept it from more.
std::string compared_with_fastest(const CapacityPlan& plan) {
  const DeploymentResult& chosen = plan.results[*plan.recommended];
  const DeploymentResult& fastest = plan.results[plan.pareto.front()];
  if (&chosen == &fastest) return "nothing simulated is faster";
  const double part = 100 * fastest.tokens_per_s_per_gpu / chosen.tokens_per_s_per_gpu;
  return fmt::format("the quickest of all, {}, takes {:.1f} ms and gives {} of them",
                     deployment_words(fastest.deployment),
                     fastest.latency_ms,
                     part < 1 ? std::string("less than 1 %") : fmt::format("{:.0f} %", part));
}

}  // namespace

std::string deployment_words(const Deployment& deployment) {
  std::string words = fmt::format("EP {}", deployment.ranks);
  words += fmt::format(" (attention DP {}", deployment.attention_groups());
  if (deployment.attention_ranks > 1) words += fmt::format(" x TP {}", deployment.attention_ranks);
  words += fmt::format("), batch {}", deployment.batch);
  if (deployment.micro_batching == MicroBatching::tbo) words += ", two micro-batches";
  if (!deployment.kernel.empty()) words += ", " + deployment.kernel;
  if (deployment.sms > 0) words += fmt::format(" on {} SMs", deployment.sms);
  if (deployment.redundant_experts > 0)
    words += fmt::format(", {} copies of experts", deployment.redundant_experts);
  return words;
}

std::string memory_refusal(const Deployment& least, const MemoryUse& memory, bool can_spread) {
  std::string_view advice = "no more of these GPUs can share the experts";
  if (memory.cache > memory.weights)
    advice = "shorter prompts and answers (--isl, --osl) and smaller batches need less";
  else if (can_spread)
    advice = "more GPUs (--gpus) spread the experts further";
  return fmt::format(
      "nothing fits the GPUs' memory. The least is needed by {}: {} of {} a GPU (weights {}, KV "
      "cache {}, exchange buffers {}, activations {}); {}",
      deployment_words(least),
      gigabytes(memory.total()),
      gigabytes(memory.capacity),
      gigabytes(memory.weights),
      gigabytes(memory.cache),
      gigabytes(memory.buffers),
      gigabytes(memory.activations),
      advice);
}

std::string slo_refusal(const CapacityPlan& plan) {
  const DeploymentResult& nearest = plan.results[*plan.nearest];
  return fmt::format(
      "no deployment reaches a {} of {:g} ms. The nearest is {}: {:.1f} ms [{:.1f}, "
      "{:.1f}] at {:.0f} tokens/s/GPU; most of it is {} ({:.0f} %)",
      latency_name(plan.question.phase),
      *plan.question.slo_ms,
      deployment_words(nearest.deployment),
      nearest.latency_ms,
      nearest.latency_low_ms,
      nearest.latency_high_ms,
      nearest.tokens_per_s_per_gpu,
      nearest.parts.front().name,
      100 * nearest.parts.front().share);
}

std::string recommendation(const CapacityPlan& plan) {
  const DeploymentResult& chosen = plan.results[*plan.recommended];
  const auto& slo = plan.question.slo_ms;
  std::string words = fmt::format(
      "most tokens/s/GPU of all{}, to within 2 %, and the fastest of these",
      slo ? fmt::format(" with a {} of at most {:g} ms", latency_name(plan.question.phase), *slo)
          : std::string(" (no SLO was given)"));
  words += "; " + compared_with_fastest(plan);
  if (slo && chosen.latency_high_ms > *slo)
    words +=
        fmt::format("; the interval reaches {:.1f} ms, beyond the SLO", chosen.latency_high_ms);
  return words;
}

}  // namespace epsim
