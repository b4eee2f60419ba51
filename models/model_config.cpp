// The types of model whose config.json epsim reads, a function each. Names of keys and what stands
// where one is missing are those of the transformers library and of the models' own code.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "models/config_attention.hpp"
#include "models/config_keys.hpp"
#include "models/config_precision.hpp"
#include "models/model_description.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostLayers = 10'000;
constexpr std::int64_t kMostExperts = 65'536;
constexpr std::int64_t kLargestWindow = 1'000'000'000;

void read_experts(ConfigKeys& keys, ModelDescription& model) {
  model.experts =
      keys.count_of({"n_routed_experts", "num_experts", "num_local_experts"}, kMostExperts);
  model.top_k = keys.count_of({"num_experts_per_tok", "experts_per_token"}, model.experts);
}

void read_groups(ConfigKeys& keys, ModelDescription& model) {
  // "greedy" picks from all experts, whatever the groups are.
  const auto method = keys.find("topk_method");
  if (method && method->is_string() && method->string() == "greedy") return;
  model.groups = std::max<std::int64_t>(1, keys.count_or("n_group", 1, model.experts));
  model.kept_groups = keys.count_or("topk_group", model.groups, model.groups);
  if (model.kept_groups == 0) keys.fail("topk_group", "expected 1 or more, found 0");
  if (model.experts % model.groups != 0)
    keys.fail(
        "n_group",
        fmt::format("expected a divisor of {} experts, found {}", model.experts, model.groups));
}

// DeepSeek's way of saying it: the first layers are dense, and where a frequency stands, of the
// others those at its multiples have experts. Transformers 5 lists them instead.
std::int64_t layers_after_dense(ConfigKeys& keys, std::int64_t layers) {
  std::int64_t moe_layers = 0;
  if (const auto types = keys.find("mlp_layer_types")) {
    const auto entries = types->array();
    if (static_cast<std::int64_t>(entries.size()) != layers)
      types->fail(fmt::format("expected one entry a layer, {}, found {}", layers, entries.size()));
    for (const JsonValue& type : entries)
      moe_layers += type.one_of({"dense", "sparse"}) == 1 ? 1 : 0;
    return moe_layers;
  }
  const std::int64_t dense = keys.count_or("first_k_dense_replace", 0, layers);
  const std::int64_t step = keys.find("moe_layer_freq") ? keys.count("moe_layer_freq") : 1;
  for (std::int64_t layer = dense; layer < layers; ++layer) moe_layers += layer % step == 0 ? 1 : 0;
  return moe_layers;
}

// Experts, dense layers and shared experts as DeepSeek's and GLM's files have them.
void read_deepseek_layers(ConfigKeys& keys, ModelDescription& model) {
  read_experts(keys, model);
  read_groups(keys, model);
  model.moe_layers = layers_after_dense(keys, model.layers);
  if (model.moe_layers < model.layers) model.dense_intermediate = keys.count("intermediate_size");
  model.intermediate = keys.count("moe_intermediate_size");
  model.shared_intermediate =
      keys.count_or("n_shared_experts", 0, kMostExperts) * model.intermediate;
}

void read_deepseek(ConfigKeys& keys, ModelDescription& model) {
  read_deepseek_layers(keys, model);
  model.attention = read_latent_attention(keys);
}

void read_deepseek_indexed(ConfigKeys& keys, ModelDescription& model) {
  read_deepseek_layers(keys, model);
  model.attention = read_indexed_attention(keys, model.layers);
}

void read_deepseek_v4(ConfigKeys& keys, ModelDescription& model) {
  read_deepseek_layers(keys, model);
  model.attention = read_compressed_attention(keys, model.layers);
  // The files that say "fp8" hold their experts in FP4, and not all name expert_dtype: weights of
  // w1 are int8 [3072, 3584] for a matrix of 3072 x 7168 in DeepSeek-V4-Pro.
  if (!keys.find("expert_dtype") && model.expert_bits == 8) model.expert_bits = 4;
  // DeepSeek-V4's technical report: rows are FP8, but for their part with position.
  model.cache_bits = 8;
}

void read_glm4_moe(ConfigKeys& keys, ModelDescription& model) {
  read_deepseek_layers(keys, model);
  model.attention = read_grouped_attention(keys, model.hidden);
}

void read_window(ConfigKeys& keys, std::string_view key, std::int64_t layers, ModelDescription& m) {
  if (layers == 0) return;
  m.attention.windowed_layers = layers;
  m.attention.window = keys.count(key, kLargestWindow);
}

void read_gpt_oss(ConfigKeys& keys, ModelDescription& model) {
  read_experts(keys, model);
  model.moe_layers = model.layers;
  model.intermediate = keys.count("intermediate_size");
  model.attention = read_grouped_attention(keys, model.hidden);
  // Every other layer, from the first on.
  const std::int64_t otherwise = (model.layers + 1) / 2;
  read_window(
      keys, "sliding_window", windowed_layers(keys, model.layers).value_or(otherwise), model);
}

void read_mixtral(ConfigKeys& keys, ModelDescription& model) {
  read_experts(keys, model);
  model.moe_layers = model.layers;
  model.intermediate = keys.count("intermediate_size");
  model.attention = read_grouped_attention(keys, model.hidden);
  if (keys.find("sliding_window")) read_window(keys, "sliding_window", model.layers, model);
}

void read_qwen3_moe(ConfigKeys& keys, ModelDescription& model) {
  read_experts(keys, model);
  const std::int64_t step =
      keys.find("decoder_sparse_step") ? keys.count("decoder_sparse_step") : 1;
  std::vector<bool> is_dense(static_cast<std::size_t>(model.layers));
  for (std::size_t layer = 0; layer < is_dense.size(); ++layer)
    is_dense[layer] = (static_cast<std::int64_t>(layer) + 1) % step != 0;
  if (const auto dense = keys.find("mlp_only_layers"))
    for (const JsonValue& layer : dense->array())
      is_dense[static_cast<std::size_t>(layer.integer_in(0, model.layers - 1))] = true;
  model.moe_layers = std::count(is_dense.begin(), is_dense.end(), false);
  if (model.moe_layers < model.layers) model.dense_intermediate = keys.count("intermediate_size");
  model.intermediate = keys.count("moe_intermediate_size");
  model.attention = read_grouped_attention(keys, model.hidden);
  // Their files name a window and say beside it that it is not used.
  std::int64_t windowed = 0;
  if (keys.flag_or("use_sliding_window", false))
    windowed = windowed_layers(keys, model.layers)
                   .value_or(model.layers - keys.count_or("max_window_layers", 0, model.layers));
  read_window(keys, "sliding_window", windowed, model);
}

// Layers that attend within a chunk: all but every fourth, unless the file lists them. A query
// sees its chunk up to itself; as a window that is the most that it sees.
std::int64_t chunked_layers(ConfigKeys& keys, std::int64_t layers) {
  if (const auto listed = windowed_layers(keys, layers)) return *listed;
  if (const auto with_position = keys.find("no_rope_layers")) {
    const auto entries = with_position->array();
    if (!entries.empty() && static_cast<std::int64_t>(entries.size()) != layers)
      with_position->fail(
          fmt::format("expected one entry a layer, {}, found {}", layers, entries.size()));
    std::int64_t chunked = 0;
    for (const JsonValue& entry : entries) chunked += entry.integer_in(0, 1);
    if (!entries.empty()) return chunked;
  }
  return layers - layers / 4;
}

void read_llama4(ConfigKeys& keys, ModelDescription& model) {
  read_experts(keys, model);
  if (const auto listed = keys.find("moe_layers")) {
    std::vector<std::int64_t> with_experts;
    for (const JsonValue& layer : listed->array())
      with_experts.push_back(layer.integer_in(0, model.layers - 1));
    std::sort(with_experts.begin(), with_experts.end());
    if (std::adjacent_find(with_experts.begin(), with_experts.end()) != with_experts.end())
      listed->fail("names a layer twice");
    model.moe_layers = static_cast<std::int64_t>(with_experts.size());
  } else {
    // Of each so many layers the last.
    const std::int64_t step =
        keys.find("interleave_moe_layer_step") ? keys.count("interleave_moe_layer_step") : 1;
    model.moe_layers = model.layers / step;
  }
  if (model.moe_layers < model.layers)
    model.dense_intermediate = keys.count("intermediate_size_mlp");
  model.intermediate = keys.count("intermediate_size");
  model.shared_intermediate = model.intermediate;  // one beside the routed ones, of their size
  model.attention = read_grouped_attention(keys, model.hidden);
  const bool is_chunked = keys.find("attention_chunk_size").has_value();
  read_window(
      keys, "attention_chunk_size", is_chunked ? chunked_layers(keys, model.layers) : 0, model);
}

struct ModelType {
  std::string_view name;  // of model_type
  void (*read)(ConfigKeys& keys, ModelDescription& model);
};
constexpr std::array kModelTypes = {
    ModelType{"deepseek_v2", &read_deepseek},
    ModelType{"deepseek_v3", &read_deepseek},
    ModelType{"deepseek_v32", &read_deepseek_indexed},
    ModelType{"deepseek_v4", &read_deepseek_v4},
    ModelType{"glm4_moe", &read_glm4_moe},
    ModelType{"glm_moe_dsa", &read_deepseek_indexed},
    ModelType{"gpt_oss", &read_gpt_oss},
    ModelType{"kimi_k2", &read_deepseek},
    ModelType{"llama4", &read_llama4},
    ModelType{"llama4_text", &read_llama4},
    ModelType{"mixtral", &read_mixtral},
    ModelType{"qwen3_moe", &read_qwen3_moe},
};

const ModelType& type_of(ConfigKeys& whole, ConfigKeys& model) {
  std::vector<std::string_view> names;
  for (const ModelType& type : kModelTypes) names.push_back(type.name);
  std::optional<JsonValue> name = model.find("model_type");
  if (!name) name = whole.find("model_type");
  if (!name) whole.fail("model_type", "expected a string");
  return kModelTypes.at(name->one_of(names));
}

// "deepseek-v3" for models/presets/deepseek-v3.json; of a config.json the name of its folder.
std::string name_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  const std::string folder = file.parent_path().filename().string();
  return stem == "config" && !folder.empty() ? folder : stem;
}

}  // namespace

ModelDescription read_model_config(const JsonDocument& config) {
  const JsonValue root = config.root();
  ConfigKeys whole(root);
  // Models that also see or hear keep their language model's numbers apart.
  const std::optional<JsonValue> text = whole.find("text_config");
  ConfigKeys keys(text ? *text : root);
  const ModelType& type = type_of(whole, keys);

  ModelDescription model;
  model.name = name_of(root.file());
  const std::optional<JsonValue> source = whole.find("source");
  model.source = source ? source->string() : root.file();
  model.hidden = keys.count("hidden_size");
  model.vocabulary = keys.count("vocab_size");
  model.layers = keys.count("num_hidden_layers", kMostLayers);
  model.tied_embedding = keys.flag_or("tie_word_embeddings", false);
  const ModelPrecision precision = read_precision(whole, keys, model.layers);
  model.expert_bits = precision.expert_bits;
  model.linear_bits = precision.linear_bits;
  model.cache_bits = precision.cache_bits;
  type.read(keys, model);
  if (model.moe_layers == 0)
    (text ? *text : root).fail("no layer has experts, and epsim describes models that have them");
  return model;
}

}  // namespace epsim
