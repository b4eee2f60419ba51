// attention_layers: a model's attention on one of the ranks that share its heads, as the GEMMs and
// the core of moe_step.hpp.
#pragma once

#include "models/model_description.hpp"
#include "models/model_layers.hpp"
#include "models/moe_step.hpp"

namespace epsim {

// Dense latent decode shares sequences' keys out evenly over the SMs, so most SMs begin or end
// within a sequence: their partial sums are written, read and merged once all are there, of about
// as many bytes for few sequences as for many. `epsim calibrate compute` fits that fixed part to
// FlashInfer's times (calibrate/observations/compute_h800.json). That FlashMLA, which works alike,
// takes as long is an assumption: its README names rates of long runs.
inline constexpr double kLatentDecodeFixedUs = 14.4;
// FlashMLA's README, H800 SXM5, dense decode since April 2025; 580 in February 2025.
// https://github.com/deepseek-ai/FlashMLA
inline constexpr double kLatentDecodeTflops = 660;

// MLA: decode multiplies queries into the latent space and attends to latent rows (absorbed);
// prefill widens rows to keys and values of all heads (expanded), those of the cached context too.
// Where an indexer chooses few of many keys, or rows serve as they are, prefill is absorbed as
// well. Layers differ in what a query sees; all have the mean.
[[nodiscard]] AttentionShape attention_shape(const ModelDescription& model, const LayerWork& work);

}  // namespace epsim
