#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <utility>

#include <doctest/doctest.h>

#include "models/model_description.hpp"
#include "sim/base/input_error.hpp"

using namespace epsim;

namespace {

const char* const kMixtral = R"({
  "model_type": "mixtral", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 4,
  "intermediate_size": 128, "num_local_experts": 8, "num_experts_per_tok": 2,
  "num_attention_heads": 8, "torch_dtype": "bfloat16", "rope_theta": 1e6, "hidden_act": "silu"
})";
const char* const kDeepSeek = R"({
  "model_type": "deepseek_v3", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 6,
  "intermediate_size": 256, "moe_intermediate_size": 32, "n_routed_experts": 16,
  "num_experts_per_tok": 4, "num_attention_heads": 4, "kv_lora_rank": 16, "qk_nope_head_dim": 8,
  "qk_rope_head_dim": 4, "v_head_dim": 8, "q_lora_rank": null, "torch_dtype": "bfloat16"
})";
const char* const kQwen = R"({
  "model_type": "qwen3_moe", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 8,
  "intermediate_size": 256, "moe_intermediate_size": 32, "num_experts": 16,
  "num_experts_per_tok": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 32
})";
const char* const kLlama = R"({
  "model_type": "llama4", "vision_config": {"hidden_size": 7}, "torch_dtype": "bfloat16",
  "text_config": {
    "model_type": "llama4_text", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 8,
    "intermediate_size": 128, "intermediate_size_mlp": 256, "num_local_experts": 16,
    "num_experts_per_tok": 1, "num_attention_heads": 4, "attention_chunk_size": 512
  }
})";
const char* const kV4 = R"({
  "model_type": "deepseek_v4", "vocab_size": 1000, "hidden_size": 64, "num_hidden_layers": 4,
  "moe_intermediate_size": 32, "n_routed_experts": 16, "num_experts_per_tok": 4,
  "num_attention_heads": 4, "head_dim": 64, "qk_rope_head_dim": 16, "q_lora_rank": 32,
  "o_groups": 2, "o_lora_rank": 8, "sliding_window": 128, "index_topk": 8, "index_n_heads": 2,
  "index_head_dim": 16, "compress_ratios": [0, 4, 128, 4, 0],
  "quantization_config": {"quant_method": "fp8"}
})";

using Settings = std::initializer_list<std::pair<const char*, const char*>>;

ModelDescription read(const char* text, Settings settings = {}) {
  JsonDocument document = JsonDocument::parse(text, "some/model/config.json");
  for (const auto& [key, value] : settings) document.set(key, value);
  return read_model_config(document);
}

std::string error_of(const char* text, Settings settings = {}) {
  try {
    (void)read(text, settings);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("model config: what is not said is what the transformers library takes it to be") {
  const ModelDescription model = read(kMixtral);
  CHECK(model.name == "model");
  CHECK(model.source == "some/model/config.json");
  CHECK(model.layers == 4);
  CHECK(model.moe_layers == 4);
  CHECK(model.experts == 8);
  CHECK(model.top_k == 2);
  CHECK(model.intermediate == 128);
  CHECK(model.shared_intermediate == 0);
  CHECK(model.groups == 1);
  CHECK(model.attention.kind == AttentionKind::gqa);
  CHECK(model.attention.key_heads == 8);  // no num_key_value_heads: a key head a query head
  CHECK(model.attention.key_size == 8);   // no head_dim: 64 / 8
  CHECK(model.attention.windowed_layers == 0);
  CHECK_FALSE(model.tied_embedding);
  CHECK(read(kMixtral, {{"tie_word_embeddings", "true"}}).tied_embedding);
}

TEST_CASE("model config: DeepSeek's first layers are dense, and of the others those of a step") {
  CHECK(read(kDeepSeek).moe_layers == 6);
  const ModelDescription model = read(kDeepSeek,
                                      {{"first_k_dense_replace", "3"},
                                       {"n_shared_experts", "2"},
                                       {"n_group", "4"},
                                       {"topk_group", "2"}});
  CHECK(model.moe_layers == 3);
  CHECK(model.dense_intermediate == 256);
  CHECK(model.shared_intermediate == 64);
  CHECK(model.groups == 4);
  CHECK(model.kept_groups == 2);
  // Layers 2 and 4 of 1 to 5.
  CHECK(read(kDeepSeek, {{"first_k_dense_replace", "1"}, {"moe_layer_freq", "2"}}).moe_layers == 2);
  CHECK(read(kDeepSeek,
             {{"mlp_layer_types", R"(["dense","sparse","dense","sparse","sparse","sparse"])"}})
            .moe_layers == 4);
  // Groups that the way of choosing passes over.
  CHECK(read(kDeepSeek, {{"n_group", "4"}, {"topk_method", "greedy"}}).groups == 1);
}

TEST_CASE(
    "model config: latent attention counts position into the keys and may lack a query rank") {
  const AttentionDescription attention = read(kDeepSeek).attention;
  CHECK(attention.kind == AttentionKind::mla);
  CHECK(attention.query_rank == 0);
  CHECK(attention.latent_size == 16);
  CHECK(attention.rope_size == 4);
  CHECK(attention.key_size == 12);
  CHECK(attention.value_size == 8);
}

TEST_CASE("model config: an indexer is each layer's own unless layers share") {
  const Settings indexer = {{"model_type", "deepseek_v32"},
                            {"index_topk", "64"},
                            {"index_n_heads", "2"},
                            {"index_head_dim", "16"}};
  CHECK(read(kDeepSeek, indexer).attention.indexer_layers == 6);
  CHECK(read(kDeepSeek, indexer).attention.chosen_keys == 64);
  const Settings shared = {
      {"model_type", "glm_moe_dsa"},
      {"index_topk", "64"},
      {"index_n_heads", "2"},
      {"index_head_dim", "16"},
      {"indexer_types", R"(["full","full","shared","shared","full","shared"])"}};
  CHECK(read(kDeepSeek, shared).attention.indexer_layers == 3);
}

TEST_CASE("model config: DeepSeek-V4 layers are told by their ratios, experts are FP4") {
  const ModelDescription model = read(kV4);
  CHECK(model.moe_layers == 4);
  CHECK(model.attention.shares_row);
  CHECK(model.attention.latent_size == 48);
  CHECK(model.attention.windowed_layers == 1);
  REQUIRE(model.attention.compressed.size() == 2);
  CHECK(model.attention.compressed[0].layers == 2);
  CHECK(model.attention.compressed[0].ratio == 4);
  CHECK(model.attention.compressed[0].is_indexed);
  CHECK(model.attention.compressed[1].ratio == 128);
  CHECK_FALSE(model.attention.compressed[1].is_indexed);
  CHECK(model.attention.indexer_layers == 2);
  CHECK(model.expert_bits == 4);
  CHECK(model.linear_bits == 8);
  CHECK(model.cache_bits == 8);
  CHECK(read(kV4, {{"expert_dtype", "fp8"}}).expert_bits == 8);
}

TEST_CASE("model config: Qwen3 has experts in the layers of a step that are not listed as dense") {
  CHECK(read(kQwen).moe_layers == 8);
  // Steps of two: layers 1, 3, 5 and 7, of which 3 is listed.
  CHECK(read(kQwen, {{"decoder_sparse_step", "2"}, {"mlp_only_layers", "[0, 3]"}}).moe_layers == 3);
  CHECK(read(kQwen, {{"sliding_window", "4096"}}).attention.windowed_layers == 0);
  const ModelDescription windowed = read(
      kQwen,
      {{"sliding_window", "4096"}, {"use_sliding_window", "true"}, {"max_window_layers", "6"}});
  CHECK(windowed.attention.windowed_layers == 2);
  CHECK(windowed.attention.window == 4096);
}

TEST_CASE("model config: Llama 4 keeps its text apart and has experts in every so many layers") {
  const ModelDescription model = read(kLlama, {{"text_config.interleave_moe_layer_step", "2"}});
  CHECK(model.hidden == 64);
  CHECK(model.moe_layers == 4);
  CHECK(model.dense_intermediate == 256);
  CHECK(model.shared_intermediate == 128);
  CHECK(model.attention.windowed_layers == 6);  // all but every fourth
  CHECK(model.attention.window == 512);
  CHECK(model.expert_bits == 16);
  CHECK(read(kLlama, {{"text_config.moe_layers", "[1, 3, 7]"}}).moe_layers == 3);
  CHECK(read(kLlama, {{"text_config.no_rope_layers", "[1,1,0,1,1,0,1,1]"}})
            .attention.windowed_layers == 6);
}

TEST_CASE("model config: gpt-oss has a window in every other layer unless it lists them") {
  const Settings plain = {{"model_type", "gpt_oss"}, {"sliding_window", "128"}};
  CHECK(read(kMixtral, plain).attention.windowed_layers == 2);
  CHECK(read(kMixtral,
             {{"model_type", "gpt_oss"},
              {"sliding_window", "128"},
              {"layer_types",
               R"(["sliding_attention","full_attention","full_attention","full_attention"])"}})
            .attention.windowed_layers == 1);
  CHECK(read(kMixtral, {{"sliding_window", "128"}}).attention.windowed_layers ==
        4);  // mixtral: all
}

TEST_CASE("model config: bits follow the way of quantisation and the modules it leaves out") {
  const auto bits = [](const char* quantization) {
    const ModelDescription model = read(kDeepSeek, {{"quantization_config", quantization}});
    return std::vector<double>{model.expert_bits, model.linear_bits, model.cache_bits};
  };
  using Bits = std::vector<double>;
  CHECK(bits(R"({"quant_method": "fp8"})") == Bits{8, 8, 16});
  CHECK(bits(R"({"quant_method": "fp8", "modules_to_not_convert": ["lm_head"]})") ==
        Bits{8, 8, 16});
  CHECK(bits(R"({"quant_method": "mxfp4",
                 "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]})") ==
        Bits{4, 16, 16});
  CHECK(bits(R"({"quant_method": "awq", "bits": 4})") == Bits{4, 4, 16});
  CHECK(bits(R"({"quant_method": "modelopt", "quant_algo": "NVFP4",
                 "kv_cache_scheme": {"num_bits": 8, "type": "float"}})") == Bits{4, 4, 8});
  // One layer of six is not most of them.
  CHECK(bits(R"({"quant_method": "fp8", "ignored_layers": ["model.layers.3.self_attn.o_proj"]})") ==
        Bits{8, 8, 16});
  CHECK(bits(R"({"quant_method": "compressed-tensors",
                 "config_groups": {"group_0": {"weights": {"num_bits": 4}, "targets": ["Linear"]}},
                 "ignore": ["lm_head", "re:.*self_attn.*"]})") == Bits{4, 16, 16});
  CHECK(bits(R"({"quant_method": "compressed-tensors", "config_groups": {
                 "a": {"weights": {"num_bits": 8}, "targets": ["re:.*self_attn.(o|q_b)_proj.*"]},
                 "b": {"weights": {"num_bits": 4}, "targets": ["re:.*mlp.*"]}}})") ==
        Bits{4, 8, 16});
  CHECK(read(kDeepSeek, {{"torch_dtype", "float32"}}).linear_bits == 32);
  CHECK(read(kDeepSeek, {{"dtype", "float16"}, {"torch_dtype", "null"}}).linear_bits == 16);
}

TEST_CASE("model config: a type that is not known names the ones that are") {
  CHECK(error_of(kMixtral, {{"model_type", "gpt2"}}) ==
        "some/model/config.json: /model_type: expected one of deepseek_v2, deepseek_v3, "
        "deepseek_v32, deepseek_v4, glm4_moe, glm_moe_dsa, gpt_oss, kimi_k2, llama4, llama4_text, "
        "mixtral, qwen3_moe, found \"gpt2\"");
  CHECK(error_of("{}") == "some/model/config.json: missing key \"model_type\"");
}

TEST_CASE("model config: a missing or absurd number is told by file and key") {
  struct Wrong {
    const char* text;
    const char* key;
    const char* value;
    const char* expected;
  };
  const Wrong cases[] = {
      {kMixtral, "hidden_size", "null", "/hidden_size: expected a whole number from 1 to"},
      {kMixtral, "hidden_size", "0", "/hidden_size: expected a whole number from 1 to"},
      {kMixtral, "hidden_size", "64.5", "found 64.5"},
      {kMixtral, "hidden_size", "1e30", "/hidden_size: expected a whole number"},
      {kMixtral, "num_hidden_layers", "2000000000", "from 1 to 10000, found 2000000000"},
      {kMixtral, "num_experts_per_tok", "9", "from 1 to 8, found 9"},
      {kMixtral, "num_attention_heads", "7", "expected a divisor of hidden_size, 64, found 7"},
      {kMixtral, "num_key_value_heads", "3", "expected a divisor of num_attention_heads, 8"},
      {kMixtral, "torch_dtype", "int3", "/torch_dtype: expected one of bfloat16"},
      {kMixtral, "tie_word_embeddings", "3", "expected true or false, found 3"},
      {kMixtral, "quantization_config", "{}", "/quantization_config: missing key \"quant_method\""},
      {kMixtral,
       "quantization_config",
       R"({"quant_method": "magic"})",
       "/quantization_config/quant_method: expected one of fp8"},
      {kDeepSeek, "n_group", "5", "/n_group: expected a divisor of 16 experts, found 5"},
      {kDeepSeek, "n_group", "0.5", "/n_group: expected a whole number from 0"},
      {kDeepSeek, "first_k_dense_replace", "7", "from 0 to 6, found 7"},
      {kDeepSeek, "first_k_dense_replace", "6", "no layer has experts"},
      {kDeepSeek, "moe_layer_freq", "0", "/moe_layer_freq: expected a whole number from 1"},
      {kDeepSeek, "model_type", "deepseek_v32", "missing key \"index_topk\""},
      {kQwen, "mlp_only_layers", "[8]", "/mlp_only_layers/0: expected a whole number from 0 to 7"},
      {kQwen, "mlp_only_layers", "[0,1,2,3,4,5,6,7]", "no layer has experts"},
      {kQwen, "use_sliding_window", "true", "missing key \"sliding_window\""},
      {kLlama, "text_config.moe_layers", "[]", "/text_config: no layer has experts"},
      {kLlama, "text_config.moe_layers", "[1, 1]", "/text_config/moe_layers: names a layer twice"},
      {kLlama, "text_config.layer_types", "[]", "expected one entry a layer, 8, found 0"},
      {kLlama, "text_config", "3", "/text_config: expected an object, found 3"},
      {kV4, "compress_ratios", "[0, 4]", "expected one entry a layer, 4, found 2"},
      {kV4, "compress_ratios", "null", "/compress_ratios: expected one entry a layer"},
      {kV4, "qk_rope_head_dim", "64", "expected less than head_dim, 64"},
  };
  for (const Wrong& wrong : cases) {
    CAPTURE(wrong.key);
    CAPTURE(wrong.value);
    const std::string error = error_of(wrong.text, {{wrong.key, wrong.value}});
    CAPTURE(error);
    CHECK(error.starts_with("some/model/config.json: "));
    CHECK(error.find(wrong.expected) != std::string::npos);
  }
}

TEST_CASE("model config: a name is a preset, or else the path of a file") {
  CHECK(load_model("deepseek-v3").experts == 256);
  CHECK_THROWS_WITH_AS((void)load_model("deepseek-v9"),
                       doctest::Contains("no such model; known: deepseek-r1, deepseek-v2"),
                       InputError);
  CHECK_THROWS_AS((void)load_model("no/such/config.json"), InputError);
  const auto path = std::filesystem::temp_directory_path() / "epsim_model_config_test.json";
  std::ofstream(path) << kMixtral;
  CHECK(load_model(path.string()).name == "epsim_model_config_test");
  std::filesystem::remove(path);
}
