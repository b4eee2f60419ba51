#include "sim/capacity/memory_use.hpp"

#include <algorithm>
#include <cmath>

#include "models/exchange_buffers.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr double kHalfBytes = 2;   // of a BF16 value
constexpr double kFloatBytes = 4;  // of a logit

double number(std::int64_t value) {
  return static_cast<double>(value);
}

std::int64_t rounded_up(std::int64_t value, std::int64_t parts) {
  return (value + parts - 1) / parts;
}

// Attention's ranks share whatever is not a routed or a shared expert; each rank has the shared
// experts whole. Routers and embeddings stay in BF16 whatever other weights are.
double weight_bytes(const ModelDescription& model, const Deployment& deployment) {
  const double attention_ranks = deployment.attention_ranks;
  const double slots = number(model.experts + deployment.redundant_experts) / deployment.ranks;
  const double dense_layers = number(model.layers - model.moe_layers);
  const double split =
      number(model.layers) * attention_weights(model) + dense_layers * dense_weights(model);
  const double shared = number(model.moe_layers) * shared_weights(model);
  const double experts = number(model.moe_layers) * slots * expert_weights(model);
  const double routers = number(model.moe_layers) * number(model.experts) * number(model.hidden);
  return (split / attention_ranks + shared) * model.linear_bits / 8 +
         experts * model.expert_bits / 8 +
         (routers + embedding_weights(model) / attention_ranks) * kHalfBytes;
}

// Decode keeps a batch of sequences, each until its answer is complete. Prefill keeps the prompts
// that a step's tokens belong to, whole even where they come in pieces.
double kept_cache(const ModelDescription& model,
                  const Deployment& deployment,
                  ServingPhase phase,
                  const ServedLengths& lengths) {
  const bool is_decode = phase == ServingPhase::decode;
  const std::int64_t sequences =
      is_decode ? deployment.batch
                : rounded_up(deployment.batch, std::max<std::int64_t>(1, lengths.input));
  const std::int64_t tokens = is_decode ? lengths.longest() : lengths.input;
  return number(sequences) * cache_bytes(model, tokens, deployment.attention_ranks);
}

// Beside rows of hidden values that last (the residual, and the one that a layer works on), the
// widest of what layers hold for a moment, in BF16. That whatever came before is given back by then
// is an assumption, as is that layers hold nothing else.
struct LayerRows {
  const ModelDescription& model;
  const Deployment& deployment;
  double tokens = 0;  // of an attention group in one micro-batch

  [[nodiscard]] double residuals() const {
    return 2 * tokens * deployment.micro_batches() * number(model.hidden) * kHalfBytes;
  }
  // Queries and keys of a key's size, values and outputs of a value's; and a row in and out.
  [[nodiscard]] double attention() const {
    const AttentionDescription& attention = model.attention;
    const double heads = std::ceil(number(attention.heads) / deployment.attention_ranks);
    const double of_heads = heads * 2 * number(attention.key_size + attention.value_size);
    return tokens * (2 * number(model.hidden) + of_heads) * kHalfBytes;
  }
  // A gated MLP is widest where it has its input and both halves of what they are made to; its
  // product and output take less.
  [[nodiscard]] double gated(double rows, double width) const {
    return rows * (number(model.hidden) + 2 * width) * kHalfBytes;
  }
  [[nodiscard]] double dense() const {
    if (model.layers == model.moe_layers) return 0;
    return gated(tokens, std::ceil(number(model.dense_intermediate) / deployment.attention_ranks));
  }
  [[nodiscard]] double experts(double imbalance) const {
    const std::int64_t own = deployment.exchanged_tokens();
    double rows = number(own) * number(model.top_k) * imbalance;
    // Rows laid out for the most that could come are there whether they come or not.
    if (deployment.ranks > 1 && received_rows(deployment.kernel).padded)
      rows = number(own) * number(model.experts + deployment.redundant_experts);
    return gated(rows, number(model.intermediate)) +
           gated(number(own), number(model.shared_intermediate));
  }
};

// Logits of the sequences that get a token.
double logit_bytes(const ModelDescription& model,
                   const Deployment& deployment,
                   ServingPhase phase,
                   const ServedLengths& lengths) {
  const std::int64_t rows =
      phase == ServingPhase::decode
          ? deployment.batch
          : rounded_up(deployment.batch, std::max<std::int64_t>(1, lengths.input));
  return number(rows) * number(model.vocabulary) / deployment.attention_ranks * kFloatBytes;
}

}  // namespace

MemoryUse memory_use(const ModelDescription& model,
                     const Deployment& deployment,
                     ServingPhase phase,
                     const ServedLengths& lengths,
                     const GpuSpec& gpu,
                     double memory_share,
                     std::uint32_t ranks_per_host,
                     double imbalance) {
  check(deployment.ranks > 0 && deployment.attention_ranks > 0, "a deployment has ranks");
  check(deployment.batch > 0, "a deployment serves something");
  MemoryUse use;
  use.capacity = number(gpu.hbm_capacity.count) * memory_share;
  use.weights = weight_bytes(model, deployment);
  use.cache = kept_cache(model, deployment, phase, lengths);

  const std::uint32_t batches = deployment.micro_batches();
  const LayerRows rows{.model = model,
                       .deployment = deployment,
                       .tokens = number(rounded_up(deployment.batch, batches))};
  use.activations = rows.residuals() + std::max({rows.attention(),
                                                 rows.dense(),
                                                 rows.experts(imbalance),
                                                 logit_bytes(model, deployment, phase, lengths)});

  if (deployment.ranks == 1) return use;  // nothing is exchanged
  const ExchangeBuffers buffers = exchange_buffers(
      deployment.kernel,
      {.ranks = deployment.ranks,
       .ranks_per_host = ranks_per_host,
       .slots = model.experts + deployment.redundant_experts,
       .top_k = model.top_k,
       .hidden = model.hidden,
       .tokens = deployment.exchanged_tokens(),
       .sms = deployment.sms,
       .dispatch_format = model.linear_bits <= 8 ? DispatchFormat::fp8 : DispatchFormat::bf16});
  const double held = received_rows(deployment.kernel).in_buffer ? batches : 1;
  use.buffers = held * number(buffers.size.count);
  use.buffers_needed = held * number(buffers.needed.count);
  return use;
}

}  // namespace epsim
