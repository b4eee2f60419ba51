// config_precision: in how many bits a config.json says that weights and cached keys are kept.
#pragma once

#include <cstdint>

#include "models/config_keys.hpp"

namespace epsim {

struct ModelPrecision {
  // Of routed experts, and of what else multiplies rows of tokens. Shared experts and dense layers
  // count to the latter: the files do not always say, and they are a few per cent of all weights.
  double expert_bits = 16, linear_bits = 16;
  double cache_bits = 16;
};

// `whole` is the file, `model` the part of it that describes the language model. Throws InputError
// for a way of quantisation that is not known.
[[nodiscard]] ModelPrecision read_precision(ConfigKeys& whole,
                                            ConfigKeys& model,
                                            std::int64_t layers);

}  // namespace epsim
