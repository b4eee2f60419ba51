// model_layers: what one rank has to do of a model's layers in one step, as the step of
// moe_step.hpp, and beside it the layers that have no experts and the two ends.
#pragma once

#include <cstdint>
#include <vector>

#include "models/deployment.hpp"
#include "models/model_description.hpp"
#include "models/moe_step.hpp"
#include "models/step_times.hpp"

namespace epsim {

// One micro-batch of an attention group.
struct LayerWork {
  ServingPhase phase = ServingPhase::decode;
  std::uint32_t ranks = 1, attention_ranks = 1;
  std::int64_t tokens = 0;     // of the attention group
  std::int64_t sequences = 0;  // of the attention group that they belong to
  std::int64_t context = 0;    // keys of a sequence before its first token here
  std::uint32_t micro_batches = 1;
  std::vector<std::int64_t> expert_rows;  // of the busiest rank's slots
  StepExchange dispatch, combine;
  Bandwidth link{};  // of attention's collectives, one direction
};

// Layers with experts, `layers` of them. Attention's projections are split by heads; its partial
// sums become whole and are shared among the attention ranks by a reduce-scatter, and rows are
// gathered again before the next attention.
[[nodiscard]] MoeStepSpec moe_layers(const ModelDescription& model,
                                     const LayerWork& work,
                                     std::uint32_t layers);

// One dense layer, all micro-batches, its tasks one after the other.
[[nodiscard]] Duration dense_layer_time(const ModelDescription& model,
                                        const LayerWork& work,
                                        const StepMachine& machine);

// Embedding, last norm and the logits of `sequences` rows on this rank.
[[nodiscard]] Duration ends_time(const ModelDescription& model,
                                 std::int64_t tokens,
                                 std::int64_t sequences,
                                 const StepMachine& machine);

}  // namespace epsim
