// attention_layers: a model's attention on one of the ranks that share its heads, as the GEMMs and
// the core of moe_step.hpp.
#pragma once

#include "models/model_description.hpp"
#include "models/model_layers.hpp"
#include "models/moe_step.hpp"

namespace epsim {

// MLA: decode multiplies queries into the latent space and attends to latent rows (absorbed);
// prefill widens rows to keys and values of all heads (expanded), those of the cached context too.
// Where an indexer chooses few of many keys, or rows serve as they are, prefill is absorbed as
// well. Layers differ in what a query sees; all have the mean.
[[nodiscard]] AttentionShape attention_shape(const ModelDescription& model, const LayerWork& work);

}  // namespace epsim
