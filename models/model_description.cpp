#include "models/model_description.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

// An indexer's keys are cached in FP8: DeepSeek-V3.2-Exp, inference/model.py. For DeepSeek-V4,
// whose report computes with them in FP4, that is an assumption on the safe side.
constexpr double kIndexerKeyBits = 8;
// A latent row's part with position stays in BF16 where the rest is FP8: FlashMLA's README,
// https://github.com/deepseek-ai/FlashMLA, and DeepSeek-V4's technical report.
constexpr double kPositionBits = 16;

double number(std::int64_t count) {
  return static_cast<double>(count);
}

double gated_mlp(const ModelDescription& model, std::int64_t intermediate) {
  return 3 * number(model.hidden) * number(intermediate);
}

double query_weights(const ModelDescription& model) {
  const AttentionDescription& attention = model.attention;
  const double queries = number(attention.heads) * number(attention.key_size);
  if (attention.query_rank == 0) return number(model.hidden) * queries;
  return number(attention.query_rank) * (number(model.hidden) + queries);
}

double output_weights(const ModelDescription& model) {
  const AttentionDescription& attention = model.attention;
  const double values = number(attention.heads) * number(attention.value_size);
  if (attention.output_rank == 0) return values * number(model.hidden);
  return number(attention.output_rank) *
         (values + number(attention.output_groups) * number(model.hidden));
}

double key_weights(const ModelDescription& model) {
  const AttentionDescription& attention = model.attention;
  if (attention.kind == AttentionKind::gqa)
    return number(model.hidden) * number(attention.key_heads) *
           number(attention.key_size + attention.value_size);
  const double down = number(model.hidden) * number(attention.latent_size + attention.rope_size);
  if (attention.shares_row) return down;
  const std::int64_t head = attention.key_size - attention.rope_size + attention.value_size;
  return down + number(attention.latent_size) * number(attention.heads) * number(head);
}

// Of all layers. A compressed row is a weighted sum: one matrix makes what is summed, one the
// weights; rows that an indexer chooses from overlap by half, which doubles both.
double compressor_weights(const ModelDescription& model) {
  double weights = 0;
  for (const CompressedLayers& compressed : model.attention.compressed)
    weights += number(compressed.layers) * (compressed.is_indexed ? 4 : 2) * number(model.hidden) *
               number(model.attention.key_size);
  return weights;
}

// Of all layers: its queries, its key or the compressor that makes it, and a weight a head.
double indexer_weights(const ModelDescription& model) {
  const AttentionDescription& attention = model.attention;
  const double from = number(attention.query_rank > 0 ? attention.query_rank : model.hidden);
  const double keys = attention.compressed.empty() ? 1 : 4;
  return number(attention.indexer_layers) *
         (from * number(attention.indexer_heads) * number(attention.indexer_size) +
          number(model.hidden) *
              (keys * number(attention.indexer_size) + number(attention.indexer_heads)));
}

bool is_path(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.ends_with(".json");
}

JsonDocument find_config(std::string_view name_or_path) {
  for (const EmbeddedFile& preset : embedded::model_presets())
    if (preset.name == name_or_path)
      return JsonDocument::parse(preset.text, fmt::format("models/presets/{}.json", preset.name));
  if (is_path(name_or_path)) return JsonDocument::read(name_or_path);
  std::string known;
  for (const std::string& name : model_names()) known += (known.empty() ? "" : ", ") + name;
  throw InputError(
      name_or_path, "", "no such model; known: " + known + "; or write the path of a config.json");
}

// Tokens' rows that one layer keeps.
double kept_rows(std::int64_t tokens, const CompressedLayers& compressed, std::int64_t window) {
  return number(std::min(tokens, window)) + number(tokens / compressed.ratio);
}

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& preset : embedded::model_presets()) names.emplace_back(preset.name);
  std::sort(names.begin(), names.end());
  return names;
}

ModelDescription load_model(std::string_view name_or_path) {
  return read_model_config(find_config(name_or_path));
}

double attention_weights(const ModelDescription& model) {
  return query_weights(model) + key_weights(model) + output_weights(model) +
         (compressor_weights(model) + indexer_weights(model)) / number(model.layers);
}

double expert_weights(const ModelDescription& model) {
  return gated_mlp(model, model.intermediate);
}

double shared_weights(const ModelDescription& model) {
  return gated_mlp(model, model.shared_intermediate);
}

double dense_weights(const ModelDescription& model) {
  return gated_mlp(model, model.dense_intermediate);
}

double embedding_weights(const ModelDescription& model) {
  return (model.tied_embedding ? 1 : 2) * number(model.vocabulary) * number(model.hidden);
}

double total_weights(const ModelDescription& model) {
  // The router's row for each expert is counted; norms and biases, below a thousandth, are not.
  const double moe_layer = number(model.experts) * (expert_weights(model) + number(model.hidden)) +
                           shared_weights(model);
  return number(model.layers) * attention_weights(model) + number(model.moe_layers) * moe_layer +
         number(model.layers - model.moe_layers) * dense_weights(model) + embedding_weights(model);
}

double attended_keys(const ModelDescription& model, std::int64_t context) {
  const AttentionDescription& attention = model.attention;
  const std::int64_t in_window = std::min(context, attention.window);
  const bool chooses = attention.chosen_keys > 0;
  double keys = number(attention.windowed_layers) * number(in_window);
  std::int64_t others = model.layers - attention.windowed_layers;
  for (const CompressedLayers& compressed : attention.compressed) {
    std::int64_t rows = context / compressed.ratio;
    if (compressed.is_indexed && chooses) rows = std::min(rows, attention.chosen_keys);
    keys += number(compressed.layers) * number(in_window + rows);
    others -= compressed.layers;
  }
  keys += number(others) * number(chooses ? std::min(context, attention.chosen_keys) : context);
  return keys / number(model.layers);
}

double indexed_keys(const ModelDescription& model, std::int64_t context) {
  const AttentionDescription& attention = model.attention;
  if (attention.compressed.empty())
    return number(attention.indexer_layers) * number(context) / number(model.layers);
  double keys = 0;
  for (const CompressedLayers& compressed : attention.compressed)
    if (compressed.is_indexed)
      keys += number(compressed.layers) * number(context / compressed.ratio);
  return keys / number(model.layers);
}

double cache_bytes(const ModelDescription& model,
                   std::int64_t sequence_tokens,
                   std::uint32_t attention_ranks) {
  check(attention_ranks > 0, "a sequence's attention is on one rank or more");
  const AttentionDescription& attention = model.attention;
  const std::int64_t ranks = attention_ranks;
  // Heads that cannot be split further are kept by several ranks.
  const std::int64_t heads = std::max<std::int64_t>(1, (attention.key_heads + ranks - 1) / ranks);
  const double row_bits =
      attention.kind == AttentionKind::mla
          ? number(attention.latent_size) * model.cache_bits +
                number(attention.rope_size) * std::max(kPositionBits, model.cache_bits)
          : number(heads) * number(attention.key_size + attention.value_size) * model.cache_bits;
  double rows =
      number(attention.windowed_layers) * number(std::min(sequence_tokens, attention.window));
  std::int64_t others = model.layers - attention.windowed_layers;
  for (const CompressedLayers& compressed : attention.compressed) {
    rows += number(compressed.layers) * kept_rows(sequence_tokens, compressed, attention.window);
    others -= compressed.layers;
  }
  rows += number(others) * number(sequence_tokens);
  const double indexer_rows = number(model.layers) * indexed_keys(model, sequence_tokens);
  return (rows * row_bits + indexer_rows * number(attention.indexer_size) * kIndexerKeyBits) / 8;
}

}  // namespace epsim
