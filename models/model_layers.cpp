#include "models/model_layers.hpp"

#include <algorithm>
#include <array>

#include "models/attention_layers.hpp"
#include "sim/base/check.hpp"

namespace epsim {
namespace {

// Those of M20's exchanges, which fill a link.
constexpr std::uint32_t kCollectiveCtas = 20;
constexpr std::int64_t kBytesOfBf16 = 2;
constexpr double kBitsOfFp8 = 8, kBitsOfBf16 = 16;

// Weights of fewer bits than the machine multiplies are unpacked to what the linear layers use.
GemmFormat format_of(double bits, double linear_bits) {
  const bool is_fp8 = bits == kBitsOfFp8 || (bits < kBitsOfFp8 && linear_bits <= kBitsOfFp8);
  return {.dtype = is_fp8 ? StepDtype::fp8 : StepDtype::bf16,
          .weight_bits = std::min(bits, kBitsOfBf16)};
}

StepFormats formats_of(const ModelDescription& model) {
  return {.linear = format_of(model.linear_bits, model.linear_bits),
          .experts = format_of(model.expert_bits, model.linear_bits)};
}

Duration row_time(std::int64_t rows, std::int64_t numbers, const StepMachine& machine) {
  return elementwise_time(Bytes{rows * numbers * kBytesOfBf16}, rows, machine).time;
}

Duration gemm_time(std::int64_t rows,
                   std::int64_t columns,
                   std::int64_t depth,
                   const GemmFormat& format,
                   const StepMachine& machine) {
  return formatted_gemm_time(std::array{rows}, columns, depth, format, machine).time;
}

MoeStepSpec layers_of(const ModelDescription& model, const LayerWork& work, std::uint32_t layers) {
  check(work.attention_ranks > 0, "attention has ranks");
  MoeStepSpec spec;
  spec.layers = layers;
  spec.micro_batches = work.micro_batches;
  spec.ranks = work.ranks;
  spec.attention_ranks = work.attention_ranks;
  spec.tokens = (work.tokens + work.attention_ranks - 1) / work.attention_ranks;
  spec.hidden = model.hidden;
  spec.attention = attention_shape(model, work);
  spec.formats = formats_of(model);
  spec.collective_ctas = kCollectiveCtas;
  spec.link = work.link;
  return spec;
}

}  // namespace

MoeStepSpec moe_layers(const ModelDescription& model, const LayerWork& work, std::uint32_t layers) {
  MoeStepSpec spec = layers_of(model, work, layers);
  spec.experts = model.experts;
  spec.top_k = model.top_k;
  spec.intermediate = model.intermediate;
  spec.shared_intermediate = model.shared_intermediate;
  spec.expert_rows = work.expert_rows;
  spec.dispatch = work.dispatch;
  spec.combine = work.combine;
  spec.arrives_by_expert = work.phase == ServingPhase::decode;
  return spec;
}

Duration dense_layer_time(const ModelDescription& model,
                          const LayerWork& work,
                          const StepMachine& machine) {
  const MoeStepSpec spec = layers_of(model, work, 1);
  Duration time{};
  for (const MoeTask& task : attention_step(spec, machine).tasks) time += task.task.time;
  const GemmFormat format = spec.formats->linear;
  const std::int64_t rows = spec.tokens, width = model.dense_intermediate;
  // The sum with the residual and its norm; two halves read, their product written.
  const Duration mlp = row_time(rows, 4 * model.hidden, machine) +
                       gemm_time(rows, 2 * width, model.hidden, format, machine) +
                       row_time(rows, 3 * width, machine) +
                       gemm_time(rows, model.hidden, width, format, machine);
  return time + mlp * work.micro_batches;
}

Duration ends_time(const ModelDescription& model,
                   std::int64_t tokens,
                   std::int64_t sequences,
                   const StepMachine& machine) {
  return row_time(tokens, 2 * model.hidden, machine) +
         row_time(sequences, 4 * model.hidden, machine) +
         gemm_time(sequences, model.vocabulary, model.hidden, {}, machine);
}

}  // namespace epsim
