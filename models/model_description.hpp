// ModelDescription: a mixture-of-experts model in the dimensions that decide its time and memory.
// Read from a Hugging Face config.json, or a preset that epsim carries (models/presets).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"

namespace epsim {

// mla: keys and values of all heads come from one latent row a token, which is what is cached.
// gqa: each key head serves some query heads (multi-query and multi-head attention are its ends).
enum class AttentionKind : std::uint8_t { mla, gqa };
inline constexpr std::array<std::string_view, 2> kAttentionKindNames = {"mla", "gqa"};

// Layers that keep, beside a window of rows as they came, one row for so many tokens.
struct CompressedLayers {
  std::int64_t layers = 0;
  std::int64_t ratio = 1;   // tokens a row
  bool is_indexed = false;  // a query attends to the rows that an indexer chooses, not to all
};

struct AttentionDescription {
  AttentionKind kind = AttentionKind::gqa;
  std::int64_t heads = 0;
  std::int64_t key_heads = 0;        // gqa; mla: 0
  std::int64_t key_size = 0;         // of a head; mla: the part without position, plus rope
  std::int64_t value_size = 0;       // of a head
  std::int64_t query_rank = 0;       // mla: width of the queries' latent row, 0: none
  std::int64_t latent_size = 0;      // mla: of the cached row, without rope
  std::int64_t rope_size = 0;        // mla: of the part with position, shared by all heads
  std::int64_t window = 0;           // keys that a query of a windowed layer sees; 0: all
  std::int64_t windowed_layers = 0;  // of all layers
  std::int64_t chosen_keys = 0;      // an indexer chooses so many a query; 0: none does
  std::int64_t indexer_heads = 0;    // of the indexer
  std::int64_t indexer_size = 0;     // of one of its heads, and of its cached key
  std::int64_t output_groups = 0;    // the output goes through so many smaller matrices
  std::int64_t output_rank = 0;      // of each of them; 0: one matrix
  std::int64_t indexer_layers = 0;   // that have an indexer and its cached keys
  // mla: a row is itself every head's key and value, no matrix widens it; its window is then
  // beside the compressed rows.
  bool shares_row = false;
  std::vector<CompressedLayers> compressed = {};
};

struct ModelDescription {
  std::string name;    // "deepseek-v3"
  std::string source;  // of its numbers
  std::int64_t hidden = 0, vocabulary = 0;
  std::int64_t layers = 0, moe_layers = 0;   // the others are dense
  std::int64_t dense_intermediate = 0;       // of a dense layer
  std::int64_t experts = 0, top_k = 0;       // routed
  std::int64_t intermediate = 0;             // of one routed expert
  std::int64_t shared_intermediate = 0;      // of all shared experts, 0: none
  std::int64_t groups = 1, kept_groups = 1;  // of experts, and how many a token may choose from
  AttentionDescription attention;
  double expert_bits = 16, linear_bits = 16, cache_bits = 16;  // a number; scales left out
  bool tied_embedding = false;
};

// A config.json as Hugging Face keeps them; keys that decide nothing here are passed over. Throws
// InputError that names the key for a model type that is not known or a number that is missing.
[[nodiscard]] ModelDescription read_model_config(const JsonDocument& config);
// `name_or_path`: a preset ("deepseek-v3") or a config.json.
[[nodiscard]] ModelDescription load_model(std::string_view name_or_path);
[[nodiscard]] std::vector<std::string> model_names();

// Numbers of one layer, or of the model.
[[nodiscard]] double attention_weights(const ModelDescription& model);  // a layer
[[nodiscard]] double expert_weights(const ModelDescription& model);     // a routed expert, a layer
[[nodiscard]] double shared_weights(const ModelDescription& model);     // shared experts, a layer
[[nodiscard]] double dense_weights(const ModelDescription& model);      // a dense layer's MLP
[[nodiscard]] double embedding_weights(const ModelDescription& model);  // both ends
[[nodiscard]] double total_weights(const ModelDescription& model);      // the main model's
// Keys that a query attends to in a layer, and that an indexer compares it with, in the mean of all
// layers, where its sequence has `context` tokens.
[[nodiscard]] double attended_keys(const ModelDescription& model, std::int64_t context);
[[nodiscard]] double indexed_keys(const ModelDescription& model, std::int64_t context);
// Bytes that a sequence of so many tokens keeps in all layers; each rank of attention's tensor
// parallelism `attention_ranks` keeps so many of them (a latent row cannot be split). A latent
// row's part with position has 16 bits at least.
[[nodiscard]] double cache_bytes(const ModelDescription& model,
                                 std::int64_t sequence_tokens,
                                 std::uint32_t attention_ranks);

}  // namespace epsim
