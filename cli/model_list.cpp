#include "cli/model_list.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "models/model_description.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::size_t kColumns = 9;
using Row = std::array<std::string, kColumns>;
const Row kTitles = {"model",
                     "layers",
                     "with experts",
                     "hidden",
                     "experts",
                     "top-k",
                     "parameters",
                     "bits",
                     "attention"};
// Numbers are set flush right.
constexpr std::array<bool, kColumns> kIsNumber = {
    false, true, true, true, true, true, true, false, false};

std::string attention_text(const AttentionDescription& attention) {
  std::string text = attention.kind == AttentionKind::mla
                         ? fmt::format("mla {}+{}", attention.latent_size, attention.rope_size)
                         : fmt::format("gqa {}:{}", attention.heads, attention.key_heads);
  if (attention.window > 0) {
    text += fmt::format(", window {}", attention.window);
    if (attention.compressed.empty())
      text += fmt::format(" in {} layers", attention.windowed_layers);
  }
  for (const CompressedLayers& compressed : attention.compressed)
    text += fmt::format(", 1:{} in {} layers", compressed.ratio, compressed.layers);
  if (attention.chosen_keys > 0) text += fmt::format(", {} chosen", attention.chosen_keys);
  return text;
}

std::string parameters_text(const ModelDescription& model) {
  const double billions = total_weights(model) / 1e9;
  return fmt::format("{:.{}f} B", billions, billions < 100 ? 1 : 0);
}

Row row_of(const ModelDescription& model) {
  return {model.name,
          fmt::format("{}", model.layers),
          fmt::format("{}", model.moe_layers),
          fmt::format("{}", model.hidden),
          fmt::format("{}", model.experts),
          fmt::format("{}", model.top_k),
          parameters_text(model),
          model.expert_bits == model.linear_bits
              ? fmt::format("{}", model.expert_bits)
              : fmt::format("{}, experts {}", model.linear_bits, model.expert_bits),
          attention_text(model.attention)};
}

}  // namespace

std::string model_list_text() {
  std::vector<Row> rows = {kTitles};
  for (const std::string& name : model_names()) rows.push_back(row_of(load_model(name)));
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows)
    for (std::size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i + 1 < kColumns; ++i)
      text += kIsNumber[i] ? fmt::format("{:>{}}   ", row[i], widths[i])
                           : fmt::format("{:<{}}   ", row[i], widths[i]);
    text += row.back() + "\n";
  }
  return text;
}

std::string model_list_json() {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.list/1").key("models").begin_array();
  for (const std::string& name : model_names()) {
    const ModelDescription model = load_model(name);
    writer.begin_object()
        .field("name", model.name)
        .field("layers", model.layers)
        .field("moe_layers", model.moe_layers)
        .field("hidden", model.hidden)
        .field("experts", model.experts)
        .field("top_k", model.top_k)
        .field("parameters", total_weights(model))
        .field("expert_bits", model.expert_bits)
        .field("linear_bits", model.linear_bits)
        .field("attention", attention_text(model.attention))
        .field("source", model.source)
        .end_object();
  }
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
