#include "models/config_attention.hpp"

#include <map>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::int64_t kMostHeads = 65'536;
// DeepSeek-V4's inference/model.py: layers of this ratio have an indexer, others attend to all
// rows.
constexpr std::int64_t kIndexedRatio = 4;

void read_indexer(ConfigKeys& keys, AttentionDescription& attention) {
  attention.chosen_keys = keys.count("index_topk");
  attention.indexer_heads = keys.count("index_n_heads", kMostHeads);
  attention.indexer_size = keys.count("index_head_dim");
}

std::vector<JsonValue> one_a_layer(ConfigKeys& keys, std::string_view key, std::int64_t layers) {
  const auto entries = keys.find(key)->array();
  if (static_cast<std::int64_t>(entries.size()) != layers)
    keys.fail(key, fmt::format("expected one entry a layer, {}, found {}", layers, entries.size()));
  return entries;
}

}  // namespace

AttentionDescription read_latent_attention(ConfigKeys& keys) {
  AttentionDescription attention{.kind = AttentionKind::mla};
  attention.heads = keys.count("num_attention_heads", kMostHeads);
  attention.query_rank = keys.count_or("q_lora_rank", 0);
  attention.latent_size = keys.count("kv_lora_rank");
  attention.rope_size = keys.count("qk_rope_head_dim");
  attention.key_size = keys.count("qk_nope_head_dim") + attention.rope_size;
  attention.value_size = keys.count("v_head_dim");
  return attention;
}

AttentionDescription read_indexed_attention(ConfigKeys& keys, std::int64_t layers) {
  AttentionDescription attention = read_latent_attention(keys);
  read_indexer(keys, attention);
  attention.indexer_layers = layers;
  // GLM-5.2 on: layers that are "shared" take what the indexer of a layer before them chose.
  if (keys.find("indexer_types")) {
    attention.indexer_layers = 0;
    for (const JsonValue& type : one_a_layer(keys, "indexer_types", layers))
      attention.indexer_layers += type.one_of({"full", "shared"}) == 0 ? 1 : 0;
    if (attention.indexer_layers == 0) keys.fail("indexer_types", "expected one or more \"full\"");
  }
  return attention;
}

AttentionDescription read_compressed_attention(ConfigKeys& keys, std::int64_t layers) {
  AttentionDescription attention{.kind = AttentionKind::mla};
  attention.shares_row = true;
  attention.heads = keys.count("num_attention_heads", kMostHeads);
  attention.query_rank = keys.count_or("q_lora_rank", 0);
  attention.key_size = attention.value_size = keys.count("head_dim");
  attention.rope_size = keys.count("qk_rope_head_dim");
  if (attention.rope_size >= attention.key_size)
    keys.fail("qk_rope_head_dim",
              fmt::format("expected less than head_dim, {}", attention.key_size));
  attention.latent_size = attention.key_size - attention.rope_size;
  attention.output_groups = keys.count("o_groups", kMostHeads);
  attention.output_rank = keys.count("o_lora_rank");
  attention.window = keys.count("sliding_window");

  // Entries beyond the layers belong to those that predict further tokens.
  if (!keys.find("compress_ratios")) keys.fail("compress_ratios", "expected one entry a layer");
  const auto ratios = keys.find("compress_ratios")->array();
  if (static_cast<std::int64_t>(ratios.size()) < layers)
    keys.fail("compress_ratios",
              fmt::format("expected one entry a layer, {}, found {}", layers, ratios.size()));
  std::map<std::int64_t, std::int64_t> layers_of;
  for (std::int64_t layer = 0; layer < layers; ++layer)
    ++layers_of[ratios[static_cast<std::size_t>(layer)].integer_in(0, ConfigKeys::kLargest)];
  for (const auto& [ratio, count] : layers_of) {
    if (ratio < 2) {
      attention.windowed_layers += count;
      continue;
    }
    attention.compressed.push_back(
        {.layers = count, .ratio = ratio, .is_indexed = ratio == kIndexedRatio});
    if (ratio == kIndexedRatio) attention.indexer_layers = count;
  }
  if (attention.indexer_layers > 0) read_indexer(keys, attention);
  return attention;
}

AttentionDescription read_grouped_attention(ConfigKeys& keys, std::int64_t hidden) {
  AttentionDescription attention{.kind = AttentionKind::gqa};
  attention.heads = keys.count("num_attention_heads", kMostHeads);
  attention.key_heads = attention.heads;
  if (keys.find("num_key_value_heads"))
    attention.key_heads = keys.count("num_key_value_heads", attention.heads);
  if (attention.heads % attention.key_heads != 0)
    keys.fail("num_key_value_heads",
              fmt::format("expected a divisor of num_attention_heads, {}, found {}",
                          attention.heads,
                          attention.key_heads));
  if (keys.find("head_dim")) {
    attention.key_size = keys.count("head_dim");
  } else {
    if (hidden % attention.heads != 0)
      keys.fail("num_attention_heads",
                fmt::format("without head_dim expected a divisor of hidden_size, {}, found {}",
                            hidden,
                            attention.heads));
    attention.key_size = hidden / attention.heads;
  }
  attention.value_size = attention.key_size;
  return attention;
}

std::optional<std::int64_t> windowed_layers(ConfigKeys& keys, std::int64_t layers) {
  if (!keys.find("layer_types")) return std::nullopt;
  std::int64_t windowed = 0;
  for (const JsonValue& type : one_a_layer(keys, "layer_types", layers))
    windowed +=
        type.one_of({"full_attention", "sliding_attention", "chunked_attention"}) == 0 ? 0 : 1;
  return windowed;
}

}  // namespace epsim
