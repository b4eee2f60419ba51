#include "sim/capacity/memory_use.hpp"

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

namespace {

const GpuSpec kH800{.model = "H800",
                    .sm_count = 132,
                    .hbm_bandwidth = Bandwidth{3.35e12},
                    .hbm_capacity = Bytes{80'000'000'000},
                    .l2_size = Bytes{50 << 20}};

// One weight a byte; a latent row of 576 values a token and layer, in BF16.
ModelDescription deepseek_v3() {
  return load_model("deepseek-v3");
}

Deployment decode_deployment() {
  return {.ranks = 144,
          .attention_ranks = 1,
          .batch = 128,
          .micro_batching = MicroBatching::tbo,
          .redundant_experts = 32,
          .kernel = "deepep-ll-legacy",
          .sms = 0};
}

MemoryUse decode_use(const Deployment& deployment, const ServedLengths& lengths) {
  return memory_use(deepseek_v3(), deployment, ServingPhase::decode, lengths, kH800, 0.9, 8);
}

}  // namespace

TEST_CASE("memory: DeepSeek-V3 in decode on 144 H800 is weights and cache, by hand") {
  const MemoryUse use = decode_use(decode_deployment(), {.input = 4096, .output = 512});
  // Attention: 1536 * (7168 + 128 * 192) + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168 =
  // 187 105 280 a layer, 61 layers. Dense: 3 * 7168 * 18432, three layers. Shared and routed
  // experts: 3 * 7168 * 2048 = 44 040 192 a layer, 58 layers, one shared and 288/144 routed. In
  // BF16: routers of 58 * 256 * 7168, both ends of 129280 * 7168.
  // 11 413 422 080 + 1 189 085 184 + 3 * 2 554 331 136 + 212 860 928 + 3 706 716 160
  CHECK(use.weights == doctest::Approx(24'185'077'760.0));
  // 128 sequences * 4608 tokens * 61 layers * 576 values * 2 B
  CHECK(use.cache == doctest::Approx(41'448'112'128.0));
  // Micro-batches of 64 share one buffer: 4 * 288 * 64 * 14 560 B, two lines of signals of 1152 B,
  // and a line; of eight rows a token, 4 * 8 * 64 * 14 560 B.
  CHECK(use.buffers == doctest::Approx(1'073'482'112.0));
  CHECK(use.buffers_needed == doctest::Approx(29'821'312.0));
  // Two rows of 7168 a token of both micro-batches, 3 670 016 B. Experts' rows are laid out for
  // all that could come: 64 * 288 rows of 7168 + 2 * 2048 values and 64 of the shared expert,
  // 416 677 888 B; logits would be 128 * 129280 * 4 = 66 191 360 B.
  CHECK(use.activations == doctest::Approx(420'347'904.0));
  CHECK(use.capacity == doctest::Approx(72e9));
  CHECK(use.total() == doctest::Approx(67'127'019'904.0));
  CHECK(use.fits());
}

TEST_CASE("memory: DeepSeek-V3 in prefill on 32 H800 keeps nine experts a rank, by hand") {
  // Four ranks share the attention of 32768 tokens, eight prompts, in two micro-batches.
  const Deployment deployment{.ranks = 32,
                              .attention_ranks = 4,
                              .batch = 32'768,
                              .micro_batching = MicroBatching::tbo,
                              .redundant_experts = 32,
                              .kernel = "deepep-normal-legacy",
                              .sms = 24};
  const MemoryUse use = memory_use(deepseek_v3(),
                                   deployment,
                                   ServingPhase::prefill,
                                   {.input = 4096, .output = 1},
                                   kH800,
                                   0.9,
                                   8);
  // (11 413 422 080 + 1 189 085 184) / 4 + 2 554 331 136 + 9 * 2 554 331 136 + 212 860 928 +
  // 3 706 716 160 / 4
  CHECK(use.weights == doctest::Approx(29'833'478'144.0));
  // A latent row cannot be split: 8 * 4096 * 61 * 576 * 2 B on each of the four.
  CHECK(use.cache == doctest::Approx(2'302'672'896.0));
  // As in exchange_buffers_test.cpp; 453 210 240 + 201 628 416.
  CHECK(use.buffers == doctest::Approx(654'838'656.0));
  // All rings are full, but a row has 8 choices and 56 scales: 27 648 rows of 14 664 B and 4224 B
  // of words, 12 288 rows of 14 680 B and 6912 B.
  CHECK(use.buffers_needed == doctest::Approx(405'434'496.0 + 180'394'752.0));
  // Residual rows: 2 * 32768 * 7168 * 2 B. Attention, the widest: 16384 tokens * (2 * 7168 + 32
  // heads * 2 * (192 + 128)) * 2 B; experts: 4096 * 9 * (7168 + 4096) * 2 B = 830 472 192 B.
  CHECK(use.activations == doctest::Approx(939'524'096.0 + 1'140'850'688.0));
  CHECK(use.fits());
}

TEST_CASE("memory: rows of a skewed load and of one that is laid out in full differ") {
  // 128 tokens * 8 rows * 3 of 7168 + 4096 values, and 128 of the shared expert.
  Deployment deployment = decode_deployment();
  deployment.kernel = "epsim-graph";
  deployment.micro_batching = MicroBatching::none;
  const ServedLengths lengths{.input = 4096, .output = 512};
  const MemoryUse even =
      memory_use(deepseek_v3(), deployment, ServingPhase::decode, lengths, kH800, 0.9, 8);
  const MemoryUse skewed =
      memory_use(deepseek_v3(), deployment, ServingPhase::decode, lengths, kH800, 0.9, 8, 4.0);
  // Even: logits are widest, 66 191 360 B. Skewed: 128 * (8 * 4 + 1) * 22 528 = 95 158 272 B.
  CHECK(skewed.activations - even.activations == doctest::Approx(95'158'272.0 - 66'191'360.0));
}

TEST_CASE("memory: buffers that rows stay in are kept once a micro-batch, others once") {
  const ServedLengths lengths{.input = 512, .output = 512};
  Deployment whole = decode_deployment();
  whole.micro_batching = MicroBatching::none;
  whole.batch = 64;
  Deployment halves = decode_deployment();  // two of 64
  CHECK(decode_use(halves, lengths).buffers == decode_use(whole, lengths).buffers);
  whole.kernel = halves.kernel = "trtllm-one-sided-1.3.0rc10";
  CHECK(decode_use(halves, lengths).buffers == 2 * decode_use(whole, lengths).buffers);
}

TEST_CASE("memory: it grows with all that is served, and one rank exchanges nothing") {
  const ServedLengths lengths{.input = 4096, .output = 512};
  Deployment larger = decode_deployment();
  larger.batch = 256;
  const MemoryUse use = decode_use(decode_deployment(), lengths);
  CHECK(decode_use(larger, lengths).cache == 2 * use.cache);
  CHECK(!decode_use(larger, lengths).fits());
  CHECK(decode_use(decode_deployment(), {.input = 4096, .output = 1024}).cache > use.cache);
  // Part of a prompt is enough to keep all of it.
  Deployment piece = decode_deployment();
  piece.batch = 1;
  const MemoryUse prompt =
      memory_use(deepseek_v3(), piece, ServingPhase::prefill, lengths, kH800, 0.9, 8);
  CHECK(prompt.cache == doctest::Approx(4096.0 * 61 * 576 * 2));

  Deployment alone = decode_deployment();
  alone.ranks = 1;
  CHECK(decode_use(alone, lengths).buffers == 0);
  alone.batch = 0;
  CHECK_THROWS_AS((void)decode_use(alone, lengths), Bug);
}
