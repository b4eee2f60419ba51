#include <algorithm>

#include "sim/base/json_writer.hpp"
#include "sim/capacity/capacity_plan.hpp"

namespace epsim {
namespace {

void write_interval(std::string_view key, double low, double high, JsonWriter& writer) {
  writer.key(key).begin_array().value(low).value(high).end_array();
}

void write_deployment(const Deployment& deployment, JsonWriter& writer) {
  writer.field("ranks", deployment.ranks).field("attention_ranks", deployment.attention_ranks);
  writer.field("batch", deployment.batch);
  writer.field("micro_batching",
               kMicroBatchingNames[static_cast<std::size_t>(deployment.micro_batching)]);
  writer.field("redundant_experts", deployment.redundant_experts);
  writer.field("kernel", deployment.kernel).field("sms", deployment.sms);
}

void write_memory(const MemoryUse& memory, JsonWriter& writer) {
  writer.key("memory").begin_object();
  writer.field("weights_bytes", memory.weights).field("cache_bytes", memory.cache);
  writer.field("buffers_bytes", memory.buffers);
  writer.field("activations_bytes", memory.activations);
  writer.field("capacity_bytes", memory.capacity);
  writer.field("buffers_needed_bytes", memory.buffers_needed).end_object();
}

void write_result(const DeploymentResult& result, bool is_pareto, JsonWriter& writer) {
  writer.begin_object();
  write_deployment(result.deployment, writer);
  writer.field("step_us", result.step_us);
  write_interval("step_interval_us", result.step_low_us, result.step_high_us, writer);
  writer.field("latency_ms", result.latency_ms);
  write_interval("latency_interval_ms", result.latency_low_ms, result.latency_high_ms, writer);
  writer.field("tokens_per_s_per_gpu", result.tokens_per_s_per_gpu);
  write_interval("throughput_interval", result.throughput_low, result.throughput_high, writer);
  writer.field("compute_us", result.compute_us);
  writer.field("communication_us", result.communication_us);
  writer.field("exposed_us", result.exposed_us).field("overlap_pct", result.overlap_pct);
  writer.field("dispatch_us", result.dispatch_us).field("combine_us", result.combine_us);
  writer.field("expert_imbalance", result.expert_imbalance).key("parts").begin_array();
  for (const StepPart& part : result.parts)
    writer.begin_object().field("name", part.name).field("share", part.share).end_object();
  writer.end_array();
  write_memory(result.memory, writer);
  writer.field("meets_slo", result.meets_slo).field("pareto", is_pareto);
  writer.key("beyond_range").begin_array();
  for (const std::string& line : result.beyond_range) writer.value(line);
  writer.end_array().end_object();
}

void write_question(const CapacityQuestion& question, JsonWriter& writer) {
  writer.key("question").begin_object().field("model", question.model.name);
  writer.field("model_source", question.model.source).field("system", question.system);
  writer.field("gpus", question.gpus);
  writer.field("phase", kServingPhaseNames[static_cast<std::size_t>(question.phase)]);
  writer.field("input_tokens", question.lengths.input);
  writer.field("output_tokens", question.lengths.output).key("slo_ms");
  question.slo_ms ? writer.value(*question.slo_ms) : writer.null();
  writer.field("routing", question.routing).field("memory_share", question.memory_share);
  writer.field("seed", question.seed).end_object();
}

void write_index(std::string_view key,
                 const std::optional<std::size_t>& index,
                 JsonWriter& writer) {
  writer.key(key);
  index ? writer.value(*index) : writer.null();
}

void write_two_batch(const TwoBatchVerdict& verdict, JsonWriter& writer) {
  writer.key("two_batch").begin_object().key("pays_from");
  verdict.pays_from ? writer.value(*verdict.pays_from) : writer.null();
  writer.key("batches").begin_array();
  for (const std::int64_t batch : verdict.batches) writer.value(batch);
  writer.end_array().key("gain_pct").begin_array();
  for (const double gain : verdict.gain_pct) writer.value(gain);
  writer.end_array().end_object();
}

}  // namespace

std::string capacity_json(const CapacityPlan& plan) {
  JsonWriter writer(3);
  writer.begin_object().field("schema", "epsim.capacity/1");
  write_question(plan.question, writer);
  writer.field("topology", plan.topology).field("gpu", plan.gpu).key("counts").begin_object();
  const SearchCounts& counts = plan.counts;
  writer.field("enumerated", counts.enumerated).field("impossible", counts.impossible);
  writer.field("too_large", counts.too_large).field("too_slow", counts.too_slow);
  writer.field("dominated", counts.dominated).field("simulated", counts.simulated).end_object();
  writer.key("results").begin_array();
  for (std::size_t i = 0; i < plan.results.size(); ++i)
    write_result(plan.results[i],
                 std::find(plan.pareto.begin(), plan.pareto.end(), i) != plan.pareto.end(),
                 writer);
  writer.end_array();
  write_index("recommended", plan.recommended, writer);
  write_index("nearest", plan.nearest, writer);
  writer.field("reason", plan.reason);
  write_two_batch(plan.two_batch, writer);
  writer.key("notes").begin_array();
  for (const std::string& note : plan.notes) writer.value(note);
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
