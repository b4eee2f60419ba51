// config_attention: the attention that a config.json describes, one function a family of models.
#pragma once

#include "models/config_keys.hpp"
#include "models/model_description.hpp"

namespace epsim {

// DeepSeek-V2 and V3: one latent row a token.
[[nodiscard]] AttentionDescription read_latent_attention(ConfigKeys& keys);
// DeepSeek-V3.2 and GLM-5: the same, of which an indexer chooses rows.
[[nodiscard]] AttentionDescription read_indexed_attention(ConfigKeys& keys, std::int64_t layers);
// DeepSeek-V4: one row that is key and value of all heads, and rows that stand for several tokens.
[[nodiscard]] AttentionDescription read_compressed_attention(ConfigKeys& keys, std::int64_t layers);
// Heads in groups, all keys in all layers.
[[nodiscard]] AttentionDescription read_grouped_attention(ConfigKeys& keys, std::int64_t hidden);

// Of the entries of `layer_types` those that see a window or a chunk; nullopt where there is no
// such key. Throws InputError for an entry that is neither that nor attention to all keys.
[[nodiscard]] std::optional<std::int64_t> windowed_layers(ConfigKeys& keys, std::int64_t layers);

}  // namespace epsim
