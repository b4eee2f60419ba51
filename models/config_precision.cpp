#include "models/config_precision.hpp"

#include <array>
#include <cctype>
#include <set>

namespace epsim {
namespace {

struct NamedBits {
  std::string_view name;
  double bits;
};

template <std::size_t N>
double bits_named(const std::array<NamedBits, N>& known, const JsonValue& value) {
  std::vector<std::string_view> names;
  for (const NamedBits& entry : known) names.push_back(entry.name);
  return known.at(value.one_of(names)).bits;
}

constexpr std::array kDtypes = {NamedBits{"bfloat16", 16},
                                NamedBits{"float16", 16},
                                NamedBits{"float32", 32},
                                NamedBits{"float8_e4m3fn", 8}};
constexpr std::array kExpertDtypes = {
    NamedBits{"fp4", 4}, NamedBits{"fp8", 8}, NamedBits{"bf16", 16}};
// What NVIDIA's Model Optimizer writes. Scales are left out everywhere.
constexpr std::array kAlgorithms = {NamedBits{"FP8", 8},
                                    NamedBits{"NVFP4", 4},
                                    NamedBits{"NVFP4_AWQ", 4},
                                    NamedBits{"W4A16_AWQ", 4}};

std::optional<JsonValue> find_in(ConfigKeys& model, ConfigKeys& whole, std::string_view key) {
  const std::optional<JsonValue> found = model.find(key);
  return found ? found : whole.find(key);
}

bool names_attention(std::string_view module) {
  return module.find("attn") != std::string_view::npos;
}

// The layer that "model.layers.3.self_attn.q_proj" is of; empty where it names none, or all.
std::string layer_named(std::string_view module) {
  constexpr std::string_view kBefore = "layers.";
  const std::size_t start = module.find(kBefore);
  if (start == std::string_view::npos) return "";
  std::string digits;
  for (const char c : module.substr(start + kBefore.size())) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) break;
    digits += c;
  }
  return digits;
}

// Whether the modules that are left as they were are attention's: by a pattern, or one by one in
// most of the layers.
bool keeps_attention(ConfigKeys& quantization, std::int64_t layers) {
  std::set<std::string> named;
  for (const std::string_view key :
       {"modules_to_not_convert", "ignore", "ignored_layers", "exclude_modules"}) {
    const std::optional<JsonValue> modules = quantization.find(key);
    if (!modules) continue;
    for (const JsonValue& module : modules->array()) {
      const std::string name = module.string();
      if (!names_attention(name)) continue;
      if (layer_named(name).empty()) return true;
      named.insert(layer_named(name));
    }
  }
  return 2 * static_cast<std::int64_t>(named.size()) > layers;
}

// compressed-tensors: groups of modules, each with its own bits.
void read_groups(ConfigKeys& quantization, ModelPrecision& precision) {
  const std::optional<JsonValue> found = quantization.find("config_groups");
  if (!found) quantization.fail("config_groups", "expected groups of modules");
  JsonObject groups = found->object();
  if (groups.keys().empty()) found->fail_expected("one group or more");
  for (const std::string& name : groups.keys()) {
    ConfigKeys group(groups.required(name));
    const std::optional<JsonValue> weights = group.find("weights");
    if (!weights) continue;
    const double bits = static_cast<double>(ConfigKeys(*weights).count("num_bits", 32));
    bool is_attention = false;
    bool is_other = false;
    if (const std::optional<JsonValue> targets = group.find("targets"))
      for (const JsonValue& target : targets->array()) {
        const std::string module = target.string();
        is_attention = is_attention || module == "Linear" || names_attention(module);
        is_other = is_other || !names_attention(module);
      }
    if (is_attention) precision.linear_bits = bits;
    if (is_other) precision.expert_bits = bits;
  }
}

void read_quantization(ConfigKeys& quantization,
                       const JsonValue& method,
                       ModelPrecision& precision) {
  enum : std::size_t { fp8, fbgemm_fp8, mxfp4, awq, gptq, compressed_tensors, modelopt };
  switch (method.one_of(
      {"fp8", "fbgemm_fp8", "mxfp4", "awq", "gptq", "compressed-tensors", "modelopt"})) {
    case fp8:
    case fbgemm_fp8:
      precision.expert_bits = precision.linear_bits = 8;
      break;
    case mxfp4:
      precision.expert_bits = precision.linear_bits = 4;
      break;
    case awq:
    case gptq:
      precision.expert_bits = precision.linear_bits =
          static_cast<double>(quantization.count("bits", 32));
      break;
    case compressed_tensors:
      read_groups(quantization, precision);
      break;
    default: {
      const std::optional<JsonValue> algorithm = quantization.find("quant_algo");
      if (!algorithm) quantization.fail("quant_algo", "expected a string");
      precision.expert_bits = precision.linear_bits = bits_named(kAlgorithms, *algorithm);
    }
  }
}

}  // namespace

ModelPrecision read_precision(ConfigKeys& whole, ConfigKeys& model, std::int64_t layers) {
  ModelPrecision precision;
  // Files that say nothing, such as gpt-oss's, hold 16 bits.
  std::optional<JsonValue> dtype = find_in(model, whole, "dtype");
  if (!dtype) dtype = find_in(model, whole, "torch_dtype");
  const double plain_bits = dtype ? bits_named(kDtypes, *dtype) : 16;
  precision.expert_bits = precision.linear_bits = plain_bits;
  if (const auto found = find_in(model, whole, "quantization_config")) {
    ConfigKeys quantization(*found);
    const std::optional<JsonValue> method = quantization.find("quant_method");
    if (!method) quantization.fail("quant_method", "expected a string");
    read_quantization(quantization, *method, precision);
    if (keeps_attention(quantization, layers)) precision.linear_bits = plain_bits;
    if (const auto scheme = quantization.find("kv_cache_scheme"))
      precision.cache_bits = static_cast<double>(ConfigKeys(*scheme).count("num_bits", 32));
  }
  if (const auto expert_dtype = model.find("expert_dtype"))
    precision.expert_bits = bits_named(kExpertDtypes, *expert_dtype);
  return precision;
}

}  // namespace epsim
