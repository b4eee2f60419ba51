// What the presets weigh and keep, put to what was published of them.
#include "models/model_description.hpp"

#include <doctest/doctest.h>

using namespace epsim;

namespace {

struct Published {
  const char* name;
  double parameters;
};

double per_token(const char* name, std::int64_t tokens = 1) {
  return cache_bytes(load_model(name), tokens, 1) / static_cast<double>(tokens);
}

}  // namespace

TEST_CASE(
    "ModelDescription: presets have the parameters that were published, within two per cent") {
  // Main models: layers that predict further tokens and encoders of images are left out.
  const Published published[] = {
      {"deepseek-v2", 236e9},        // arXiv:2405.04434
      {"deepseek-v2-lite", 15.7e9},  // arXiv:2405.04434, appendix B
      {"deepseek-v3", 671e9},        // arXiv:2412.19437
      {"deepseek-r1", 671e9},        // arXiv:2501.12948
      {"deepseek-v3.2", 671e9},      // as DeepSeek-V3 and its indexers
      {"deepseek-v4-pro", 1.6e12},   // huggingface.co/deepseek-ai/DeepSeek-V4-Pro
      {"deepseek-v4-flash", 284e9},  // huggingface.co/deepseek-ai/DeepSeek-V4-Flash
      {"qwen3-30b-a3b", 30.5e9},     // huggingface.co/Qwen/Qwen3-30B-A3B
      {"qwen3-235b-a22b", 235e9},    // huggingface.co/Qwen/Qwen3-235B-A22B
      {"kimi-k2", 1.04e12},          // arXiv:2507.20534
      {"glm-4.5", 355e9},            // huggingface.co/docs/transformers/model_doc/glm4_moe
      {"glm-4.5-air", 106e9},        // the same
      {"glm-5", 744e9},              // huggingface.co/zai-org/GLM-5
      {"gpt-oss-20b", 20.9e9},       // arXiv:2508.10925, table 1
      {"gpt-oss-120b", 116.8e9},     // the same
      {"mixtral-8x7b", 46.7e9},      // mistral.ai/news/mixtral-of-experts
      {"mixtral-8x22b", 141e9},      // mistral.ai/news/mixtral-8x22b
      {"llama-4-scout", 109e9},      // huggingface.co/blog/llama4-release
      {"llama-4-maverick", 400e9},   // the same
  };
  for (const Published& entry : published) {
    CAPTURE(entry.name);
    CHECK(total_weights(load_model(entry.name)) == doctest::Approx(entry.parameters).epsilon(0.02));
  }
  CHECK(model_names().size() == std::size(published));
}

TEST_CASE("ModelDescription: a preset says what it is called and where its numbers come from") {
  for (const std::string& name : model_names()) {
    CAPTURE(name);
    const ModelDescription model = load_model(name);
    CHECK(model.name == name);
    CHECK(model.source.find("https://") != std::string::npos);
    CHECK(model.moe_layers <= model.layers);
    CHECK(model.top_k <= model.experts);
  }
}

TEST_CASE("ModelDescription: DeepSeek-V3 weighs what its matrices add up to") {
  const ModelDescription model = load_model("deepseek-v3");
  // 1536 x (7168 + 128 x 192) + 7168 x 576 + 512 x 128 x (128 + 128) + 128 x 128 x 7168
  //   = 48 758 784 + 4 128 768 + 16 777 216 + 117 440 512
  CHECK(attention_weights(model) == 187'105'280);
  // 3 x 7168 x 2048, 3 x 7168 x 18432 and 2 x 129280 x 7168
  CHECK(expert_weights(model) == 44'040'192);
  CHECK(shared_weights(model) == 44'040'192);
  CHECK(dense_weights(model) == 396'361'728);
  CHECK(embedding_weights(model) == 1'853'358'080);
  // 61 x 187 105 280 + 58 x (256 x (44 040 192 + 7168) + 44 040 192) + 3 x 396 361 728 + both ends
  //   = 11 413 422 080 + 656 569 532 416 + 1 189 085 184 + 1 853 358 080
  CHECK(total_weights(model) == 671'025'397'760);
}

TEST_CASE("ModelDescription: an indexer has a query matrix, a key and a weight a head") {
  // 1536 x 64 x 128 + 7168 x 128 + 7168 x 64 = 12 582 912 + 917 504 + 458 752, as the tensors of
  // DeepSeek-V3.2 wq_b (8192 x 1536), wk (128 x 7168) and weights_proj (64 x 7168) are.
  CHECK(attention_weights(load_model("deepseek-v3.2")) -
            attention_weights(load_model("deepseek-v3")) ==
        13'959'168);
}

TEST_CASE("ModelDescription: attention of DeepSeek-V4-Pro weighs what its tensors do") {
  // Of each layer, as listed for the checkpoint: wq_a 1536 x 7168, wq_b 65536 x 1536, wkv 512 x
  // 7168, wo_a 16384 x 4096, wo_b 7168 x 16384.
  const double each = 1536. * 7168 + 65536. * 1536 + 512. * 7168 + 16384. * 4096 + 7168. * 16384;
  // Of 31 layers a compressor of 2 x 512 x 7168; of 30 layers one of 2 x 1024 x 7168 and an indexer
  // with a compressor of 2 x 256 x 7168, 64 x 7168 weights and wq_b 8192 x 1536.
  const double compressed = 31 * 2. * 512 * 7168;
  const double indexed = 30 * (2. * 1024 * 7168 + 2. * 256 * 7168 + 64. * 7168 + 8192. * 1536);
  CHECK(attention_weights(load_model("deepseek-v4-pro")) ==
        doctest::Approx(each + (compressed + indexed) / 61).epsilon(1e-12));
}

TEST_CASE("ModelDescription: a tied embedding is held once") {
  ModelDescription model = load_model("mixtral-8x7b");
  CHECK(embedding_weights(model) == 2. * 32'000 * 4096);
  model.tied_embedding = true;
  CHECK(embedding_weights(model) == 32'000. * 4096);
}

TEST_CASE("ModelDescription: a token's keys and values take the bytes that were published") {
  // arXiv:2505.09343, table 1: 70.272 kB a token for DeepSeek-V3 in BF16; (512 + 64) x 61 x 2.
  CHECK(per_token("deepseek-v3") == 70'272);
  CHECK(per_token("deepseek-v2") == (512 + 64) * 60 * 2);
  CHECK(per_token("qwen3-235b-a22b") == 2 * 4 * 128 * 94 * 2);
  CHECK(per_token("mixtral-8x7b") == 2 * 8 * 128 * 32 * 2);
  // With an FP8 cache: 512 x 1 + 64 x 2 a layer, scales left out.
  ModelDescription quantised = load_model("deepseek-v3");
  quantised.cache_bits = 8;
  CHECK(cache_bytes(quantised, 1, 1) == 61 * 640);
  // DeepSeek-V3.2 keeps a key of 128 B for each layer's indexer beside it.
  CHECK(per_token("deepseek-v3.2") == 70'272 + 61 * 128);
}

TEST_CASE("ModelDescription: layers with a window keep no more than the window") {
  // gpt-oss-20b: 12 layers keep 128 tokens, 12 all; 2 x 8 x 64 x 2 B a token and layer.
  const ModelDescription model = load_model("gpt-oss-20b");
  CHECK(cache_bytes(model, 100, 1) == 24 * 100 * 2048);
  CHECK(cache_bytes(model, 8192, 1) == (12 * 128 + 12 * 8192) * 2048);
}

TEST_CASE("ModelDescription: DeepSeek-V4-Pro keeps a million tokens in 4.36 GiB and its indexers") {
  // 30 layers keep 128 rows and one of 4 tokens, 31 layers 128 rows and one of 128 tokens; a row
  // is 64 x 2 + 448 x 1 = 576 B, so 8 126 080 rows are 4 680 622 080 B, as public notes on the
  // technical report count them. Indexers keep 30 x 262144 keys of 128 B.
  const std::int64_t tokens = 1 << 20;
  const double rows = 30. * (128 + 262'144) + 31. * (128 + 8192);
  CHECK(rows * 576 / (1 << 30) == doctest::Approx(4.36).epsilon(0.001));
  CHECK(cache_bytes(load_model("deepseek-v4-pro"), tokens, 1) ==
        doctest::Approx(rows * 576 + 30. * 262'144 * 128).epsilon(1e-12));
}

TEST_CASE("ModelDescription: tensor parallelism splits heads but no latent row") {
  const ModelDescription grouped = load_model("qwen3-235b-a22b");  // four key heads
  CHECK(cache_bytes(grouped, 1000, 2) == cache_bytes(grouped, 1000, 1) / 2);
  CHECK(cache_bytes(grouped, 1000, 4) == cache_bytes(grouped, 1000, 1) / 4);
  CHECK(cache_bytes(grouped, 1000, 8) == cache_bytes(grouped, 1000, 4));
  const ModelDescription latent = load_model("deepseek-v3");
  CHECK(cache_bytes(latent, 1000, 8) == cache_bytes(latent, 1000, 1));
}

TEST_CASE("ModelDescription: a query attends to its window, to what is chosen, or to all") {
  CHECK(attended_keys(load_model("deepseek-v3"), 5000) == 5000);
  CHECK(attended_keys(load_model("deepseek-v3.2"), 5000) == 2048);
  CHECK(attended_keys(load_model("deepseek-v3.2"), 1000) == 1000);
  CHECK(indexed_keys(load_model("deepseek-v3.2"), 5000) == 5000);
  CHECK(indexed_keys(load_model("deepseek-v3"), 5000) == 0);
  CHECK(attended_keys(load_model("gpt-oss-120b"), 4000) == (128. + 4000) / 2);
  // DeepSeek-V4-Flash at 8192: 2 layers 128 keys, 21 128 + 512 of 2048, 20 128 + 64.
  const ModelDescription flash = load_model("deepseek-v4-flash");
  CHECK(attended_keys(flash, 8192) == doctest::Approx((2. * 128 + 21. * 640 + 20. * 192) / 43));
  CHECK(indexed_keys(flash, 8192) == doctest::Approx(21. * 2048 / 43));
}
