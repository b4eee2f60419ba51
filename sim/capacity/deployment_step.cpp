#include "sim/capacity/deployment_step.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "models/kernel_families.hpp"
#include "models/split_exchange.hpp"
#include "sim/capacity/played_step.hpp"
#include "sim/prediction.hpp"

namespace epsim {
namespace {

// Layers of the two steps whose difference is what one more layer takes.
constexpr std::uint32_t kFewLayers = 1, kMoreLayers = 2;
// Ranks of a step that say what meeting costs; low-latency kernels wait for their peers' rows only,
// which is in the exchange's own time.
constexpr std::uint32_t kPlayedRanks = 2;
// What the step model adds to the error of its parts: sim/step_prediction.cpp's judgement.
constexpr double kStepSigma = 0.04;
// Of the laws of single kernels: the mean error of the held-out rows of
// calibrate/observations/compute_h800.json (epsim validate --compute) is 8 %.
constexpr double kKernelSigma = 0.10;
constexpr std::int64_t kRowUnit = 128;  // kernels move rows of whole quantisation blocks

std::int64_t rounded_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit;
}

bool takes_turns(const Deployment& deployment) {
  return deployment.micro_batching == MicroBatching::tbo;
}

StepMachine machine_of(const ServingQuestion& serving, const Deployment& deployment) {
  // Beside an exchange that holds SMs all the time, compute is told to leave them.
  const std::int64_t reserved = takes_turns(deployment) ? deployment.sms : 0;
  return serving.system.machine(static_cast<std::uint32_t>(reserved));
}

// Layers without experts, and the two ends of the model.
double other_us(const ServingQuestion& serving,
                const DeploymentWork& work,
                const StepMachine& machine) {
  const ModelDescription& model = serving.question.model;
  const std::int64_t batches = work.layer.micro_batches;
  const std::int64_t rows = serving.question.phase == ServingPhase::decode
                                ? work.deployment.batch
                                : work.layer.sequences * batches;
  const auto dense = static_cast<double>(model.layers - model.moe_layers);
  return dense * to_us(dense_layer_time(model, work.layer, machine)) +
         to_us(ends_time(model, work.deployment.batch, rows, machine));
}

// Low-latency kernels lay rows out by expert; those of the others are sorted first.
bool sorts_rows(const Deployment& deployment) {
  const FamilyKind* kind = find_family(deployment.kernel);
  return kind == nullptr || !kind->takes_split;
}

// Whether its exchanges run as two halves with rows in flight between.
bool splits(const Deployment& deployment) {
  return deployment.ranks > 1 && takes_turns(deployment) && !sorts_rows(deployment);
}

MoeStep layers_of(const ServingQuestion& serving,
                  const Deployment& deployment,
                  const LayerWork& layer,
                  std::uint32_t layers,
                  const StepMachine& machine) {
  MoeStepSpec spec = moe_layers(serving.question.model, layer, layers);
  spec.arrives_by_expert = !sorts_rows(deployment);
  MoeStep step = moe_step(spec, machine);
  apply_measured(step, serving.measured, layer.tokens, layer.context);
  return step;
}

// A layer's work by what it holds: the compute stream, or the links alone.
struct LaneTimes {
  double compute_us = 0, exchange_us = 0;
};

LaneTimes compute_alone(const ServingQuestion& serving, const DeploymentWork& work) {
  const MoeStep step =
      layers_of(serving, work.deployment, work.layer, 1, machine_of(serving, work.deployment));
  LaneTimes lanes;
  for (const MoeTask& task : step.tasks) lanes.compute_us += to_us(task.task.time);
  return lanes;
}

DeploymentBound bound_of(const ServingQuestion& serving,
                         const DeploymentWork& work,
                         const LaneTimes& lanes) {
  const Deployment& deployment = work.deployment;
  const double layer = takes_turns(deployment) ? std::max(lanes.compute_us, lanes.exchange_us)
                                               : lanes.compute_us + lanes.exchange_us;
  const double step_us = layer * static_cast<double>(serving.question.model.moe_layers) +
                         other_us(serving, work, machine_of(serving, deployment));
  return {.latency_ms = static_cast<double>(work.steps) * step_us / 1e3,
          .tokens_per_s_per_gpu = static_cast<double>(deployment.batch) /
                                  static_cast<double>(deployment.attention_ranks) * 1e6 / step_us};
}

// All of the model's layers with experts, from two steps of few.
PlayedStep play_layers(const ServingQuestion& serving,
                       const DeploymentWork& work,
                       const LayerWork& layer,
                       const SplitExchange* halves,
                       const StepMachine& machine) {
  const Deployment& deployment = work.deployment;
  const auto step_of = [&](std::uint32_t layers) {
    MoeStep step = layers_of(serving, deployment, layer, layers, machine);
    if (halves != nullptr) step = split_exchanges(step, halves->dispatch, halves->combine);
    step.rank_count = halves != nullptr ? 1 : std::min(deployment.ranks, kPlayedRanks);
    return step;
  };
  return play_step(step_of(kFewLayers),
                   step_of(kMoreLayers),
                   static_cast<double>(serving.question.model.moe_layers - kFewLayers) /
                       (kMoreLayers - kFewLayers),
                   deployment.micro_batching,
                   serving.system);
}

void name_parts(const PlayedStep& played, double other, DeploymentResult& result) {
  constexpr std::array<std::string_view, kStepStageNames.size()> kWords = {
      "attention", "gate", "rows to experts", "experts", "sums of experts", "shared experts"};
  for (std::size_t s = 0; s < kWords.size(); ++s)
    result.parts.push_back({std::string(kWords[s]), played.stage_us[s] / result.step_us});
  result.parts.push_back({"exposed communication", result.exposed_us / result.step_us});
  result.parts.push_back({"dense layers, embedding and logits", other / result.step_us});
  std::stable_sort(result.parts.begin(),
                   result.parts.end(),
                   [](const StepPart& a, const StepPart& b) { return a.share > b.share; });
}

// Exchanges count as far as they are exposed, compute for the rest.
double sigma_of(const DeploymentResult& result, double exchange) {
  const double exposed = result.exposed_us / result.step_us;
  return std::hypot(exchange * exposed, kKernelSigma * (1 - exposed), kStepSigma);
}

void fill_in_rates(const DeploymentWork& work, double sigma, DeploymentResult& result) {
  const double spread = std::exp(kIntervalReach * sigma);
  result.step_low_us = result.step_us / spread;
  result.step_high_us = result.step_us * spread;
  const double steps = static_cast<double>(work.steps);
  result.latency_ms = steps * result.step_us / 1e3;
  result.latency_low_ms = steps * result.step_low_us / 1e3;
  result.latency_high_ms = steps * result.step_high_us / 1e3;
  const double tokens = static_cast<double>(work.deployment.batch) /
                        static_cast<double>(work.deployment.attention_ranks) * 1e6;
  result.tokens_per_s_per_gpu = tokens / result.step_us;
  result.throughput_low = tokens / result.step_high_us;
  result.throughput_high = tokens / result.step_low_us;
}

}  // namespace

DeploymentWork deployment_work(const ServingQuestion& serving, const Deployment& deployment) {
  const CapacityQuestion& question = serving.question;
  const ModelDescription& model = question.model;
  const std::int64_t batches = deployment.micro_batches();
  const bool is_decode = question.phase == ServingPhase::decode;
  DeploymentWork work{.deployment = deployment, .exchange = {}, .layer = {}};
  LayerWork& layer = work.layer;
  layer.phase = question.phase;
  layer.ranks = deployment.ranks;
  layer.attention_ranks = deployment.attention_ranks;
  layer.micro_batches = static_cast<std::uint32_t>(batches);
  layer.tokens = rounded_up(deployment.batch, batches);
  const std::int64_t prompt = question.lengths.input;
  layer.sequences = is_decode ? layer.tokens : std::max<std::int64_t>(1, layer.tokens / prompt);
  if (is_decode)
    layer.context = question.lengths.decode_context();
  else if (deployment.batch < prompt)  // a prompt in pieces: on average half of it came before
    layer.context = (prompt - deployment.batch) / 2;
  work.steps = is_decode ? 1 : std::max<std::int64_t>(1, rounded_up(prompt, deployment.batch));
  layer.link = serving.system.nvlink;

  const ExpertPacking packing =
      pack_experts(serving.shares, deployment.redundant_experts, deployment.ranks);
  work.imbalance = packing.imbalance();
  const double pairs = static_cast<double>(layer.tokens) * deployment.attention_groups() *
                       static_cast<double>(model.top_k);
  layer.expert_rows = busiest_rows(packing, pairs);
  if (deployment.ranks == 1) return work;

  const std::int64_t slots = model.experts + deployment.redundant_experts;
  // Prompts keep a group's experts together; decode's copies lie wherever there was room.
  const bool is_grouped = !is_decode && model.groups > 1 && model.kept_groups < model.groups &&
                          slots % model.groups == 0;
  // Who has more rows than others makes all wait: as if all had as many.
  const double tokens = static_cast<double>(deployment.exchanged_tokens()) * work.imbalance;
  work.exchange = {.kernel = deployment.kernel,
                   .ranks = deployment.ranks,
                   .slots = slots,
                   .top_k = model.top_k,
                   .hidden = rounded_up(model.hidden, kRowUnit) * kRowUnit,
                   .tokens = static_cast<std::int64_t>(std::ceil(tokens)),
                   .sms = deployment.sms,
                   .is_fp8 = model.linear_bits <= 8,
                   .routing = is_grouped ? "node-limited:" + std::to_string(model.groups) + ":" +
                                               std::to_string(model.kept_groups)
                                         : "random"};
  return work;
}

MoeStep layer_alone(const ServingQuestion& serving,
                    Deployment deployment,
                    std::int64_t tokens,
                    std::int64_t context) {
  deployment.batch = tokens;
  deployment.micro_batching = MicroBatching::none;
  DeploymentWork work = deployment_work(serving, deployment);
  work.layer.context = context;
  ServingQuestion by_law = serving;
  by_law.measured = {};
  return layers_of(by_law, deployment, work.layer, 1, machine_of(serving, deployment));
}

DeploymentBound deployment_bound(const ServingQuestion& serving,
                                 const DeploymentWork& work,
                                 const ExchangeTimes& exchanges) {
  LaneTimes lanes = compute_alone(serving, work);
  if (work.deployment.ranks > 1)
    for (const MoeOperation operation : {MoeOperation::dispatch, MoeOperation::combine})
      lanes.exchange_us +=
          work.deployment.micro_batches() * to_us(exchanges.bound(work.exchange, operation));
  return bound_of(serving, work, lanes);
}

DeploymentBound exchange_bound(const ServingQuestion& serving,
                               const DeploymentWork& work,
                               ExchangeTimes& exchanges) {
  LaneTimes lanes = compute_alone(serving, work);
  if (work.deployment.ranks == 1) return bound_of(serving, work, lanes);
  const ExchangeTime& exchange = exchanges.find(work.exchange);
  lanes.exchange_us = to_us(exchange.dispatch.time + exchange.combine.time);
  if (splits(work.deployment)) {
    const SplitExchange& halves = exchanges.find_split(work.exchange);
    const double sms = to_us(halves.dispatch.send + halves.dispatch.receive + halves.combine.send +
                             halves.combine.receive);
    lanes.compute_us += work.deployment.micro_batches() * sms;
    lanes.exchange_us = std::max(0.0, lanes.exchange_us - sms);
  }
  lanes.exchange_us *= work.deployment.micro_batches();
  return bound_of(serving, work, lanes);
}

DeploymentResult simulate_deployment(const ServingQuestion& serving,
                                     const DeploymentWork& work,
                                     ExchangeTimes& exchanges) {
  const StepMachine machine = machine_of(serving, work.deployment);
  const ExchangeTime* exchange =
      work.deployment.ranks > 1 ? &exchanges.find(work.exchange) : nullptr;
  LayerWork layer = work.layer;
  if (exchange != nullptr) {
    layer.dispatch = exchange->dispatch;
    layer.combine = exchange->combine;
  }
  const SplitExchange* halves =
      splits(work.deployment) ? &exchanges.find_split(work.exchange) : nullptr;
  const PlayedStep played = play_layers(serving, work, layer, halves, machine);
  const double other = other_us(serving, work, machine);

  DeploymentResult result;
  result.deployment = work.deployment;
  result.step_us = played.step_us + other;
  result.compute_us = played.compute_us + other;
  result.communication_us = played.communication_us;
  result.exposed_us = played.communication_us - played.overlap_us;
  result.overlap_pct =
      played.communication_us > 0 ? 100 * played.overlap_us / played.communication_us : 0;
  result.dispatch_us = to_us(layer.dispatch.time);
  result.combine_us = to_us(layer.combine.time);
  result.expert_imbalance = work.imbalance;
  name_parts(played, other, result);
  fill_in_rates(work, sigma_of(result, exchange == nullptr ? 0 : exchange->sigma), result);
  if (exchange != nullptr) result.beyond_range = exchange->beyond_range;
  return result;
}

}  // namespace epsim
