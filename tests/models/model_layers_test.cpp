#include "models/model_layers.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "models/attention_layers.hpp"
#include "models/formatted_gemm.hpp"
#include "tests/support/round_constants.hpp"
#include "tests/support/round_overlap.hpp"

using namespace epsim;

namespace {

struct RoundMachine {
  ConstantSet overlap = round_overlap();
  ConstantSet hardware = round_hardware();
  StepMachine machine{.overlap = overlap, .hardware = hardware, .sm_count = 100};
};

ModelDescription latent_model() {
  ModelDescription model;
  model.name = "latent";
  model.hidden = 7168;
  model.vocabulary = 1000;
  model.layers = 61;
  model.moe_layers = 58;
  model.dense_intermediate = 18'432;
  model.experts = 256;
  model.top_k = 8;
  model.intermediate = 2048;
  model.shared_intermediate = 2048;
  model.attention = {.kind = AttentionKind::mla,
                     .heads = 128,
                     .key_size = 192,
                     .value_size = 128,
                     .query_rank = 1536,
                     .latent_size = 512,
                     .rope_size = 64};
  model.expert_bits = model.linear_bits = 8;
  return model;
}

ModelDescription grouped_model() {
  ModelDescription model = latent_model();
  model.expert_bits = model.linear_bits = 16;
  model.shared_intermediate = 0;
  model.attention = {
      .kind = AttentionKind::gqa, .heads = 64, .key_heads = 8, .key_size = 64, .value_size = 64};
  return model;
}

LayerWork decode_work() {
  LayerWork work;
  work.ranks = 8;
  work.tokens = 128;
  work.sequences = 128;
  work.context = 4095;
  work.expert_rows = {64, 64};
  work.link = Bandwidth{200e9};
  return work;
}

// 4 prompts of 4096 tokens.
LayerWork prefill_work() {
  LayerWork work = decode_work();
  work.phase = ServingPhase::prefill;
  work.tokens = 16'384;
  work.sequences = 4;
  work.context = 0;
  return work;
}

// TFLOP/s over those of 132 SMs of 4096 * 1980 operations a us.
double efficiency(double tflops) {
  return tflops / (132 * 4096 * 1980e-6);
}

double us_of(const MoeStep& step, std::string_view name) {
  const auto found = std::find_if(
      step.tasks.begin(), step.tasks.end(), [&](const auto& one) { return one.task.name == name; });
  REQUIRE(found != step.tasks.end());
  return to_us(found->task.time);
}

}  // namespace

TEST_CASE("attention layers: latent attention is absorbed in decode, its row read once") {
  const AttentionShape shape = attention_shape(latent_model(), decode_work());
  // Queries' and keys' latent rows in one GEMM: 1536 + 512 + 64; then 128 heads of 192.
  REQUIRE(shape.projections.size() == 3);
  CHECK(shape.projections[0] == MatrixShape{2112, 7168});
  CHECK(shape.projections[1] == MatrixShape{24'576, 1536});
  CHECK(shape.projections[2] == MatrixShape{512, 128, 128, 0, true});
  CHECK(shape.core.heads == 128);
  CHECK(shape.core.key_size == 576);
  CHECK(shape.core.value_size == 512);
  CHECK(shape.core.key_heads == 1);
  CHECK(shape.core.attended == 4096);
  CHECK(shape.core.cached_tokens == 128 * 4096);
  CHECK(shape.core.cached_bytes == 1152);  // 576 of BF16
  CHECK(shape.core.efficiency == doctest::Approx(efficiency(660)));
  CHECK(to_us(shape.core.fixed) == doctest::Approx(kLatentDecodeFixedUs));
  REQUIRE(shape.output.size() == 2);
  CHECK(shape.output[0] == MatrixShape{128, 512, 128, 0, true});
  CHECK(shape.output[1] == MatrixShape{7168, 16'384});
}

TEST_CASE("attention layers: an FP8 cache keeps the part with position in BF16") {
  ModelDescription model = latent_model();
  model.cache_bits = 8;
  // 512 + 2 * 64 bytes, FlashMLA's 656 less 16 of scales.
  CHECK(attention_shape(model, decode_work()).core.cached_bytes == 640);
}

TEST_CASE("attention layers: heads are shared out, tiles of few of them stay partly empty") {
  LayerWork work = decode_work();
  work.attention_ranks = 8;
  const AttentionShape shape = attention_shape(latent_model(), work);
  CHECK(shape.projections[0] == MatrixShape{2112, 7168});  // every rank needs every row
  CHECK(shape.projections[1] == MatrixShape{3072, 1536});  // 16 heads of 192
  CHECK(shape.core.cached_tokens == 128 * 4096);
  // 16 of a tile's 64 rows.
  CHECK(shape.core.efficiency == doctest::Approx(efficiency(660) / 4));
}

TEST_CASE("attention layers: latent attention is expanded in prefill, cached rows too") {
  LayerWork work = prefill_work();
  AttentionShape shape = attention_shape(latent_model(), work);
  REQUIRE(shape.projections.size() == 3);
  // 128 heads of 128 + 128 from the latent row.
  CHECK(shape.projections[2] == MatrixShape{32'768, 512});
  CHECK(shape.core.key_size == 192);
  CHECK(shape.core.value_size == 128);
  CHECK(shape.core.key_heads == 128);
  CHECK(shape.core.attended == 2048);
  CHECK(shape.core.efficiency == doctest::Approx(efficiency(635) * 2048 / (2048 + 256)));
  CHECK(shape.output.size() == 1);
  work.context = 1000;
  shape = attention_shape(latent_model(), work);
  CHECK(shape.projections[2].extra_rows == 4000);
  CHECK(shape.core.attended == 3048);
  CHECK(shape.core.cached_tokens == 4 * 5096);
}

TEST_CASE("attention layers: an indexer scores all keys and leaves few to attend to") {
  ModelDescription model = latent_model();
  model.attention.chosen_keys = 2048;
  model.attention.indexer_heads = 64;
  model.attention.indexer_size = 128;
  model.attention.indexer_layers = model.layers;
  LayerWork work = decode_work();
  work.context = 32'767;
  const AttentionShape shape = attention_shape(model, work);
  CHECK(shape.core.attended == 2048);
  CHECK(shape.core.cached_tokens == 128 * 2048);
  CHECK(shape.core.efficiency == doctest::Approx(efficiency(410)));
  REQUIRE(shape.indexer);
  CHECK(shape.indexer->attended == 32'768);
  CHECK(shape.indexer->cached_tokens == 128 * 32'768);
  CHECK(shape.indexer->cached_bytes == 128);
  CHECK(shape.indexer->key_size == 64);  // FP8 at twice the rate
  // 64 Ki keys of which 2048 are chosen: absorbed. 4096 keys: 2048 in the mean of 320 numbers cost
  // less than about 1536 of 1088.
  work = prefill_work();
  CHECK(attention_shape(model, work).core.key_size == 192);
  work.context = 65'536;
  CHECK(attention_shape(model, work).core.key_size == 576);
  CHECK(attention_shape(model, work).core.efficiency == doctest::Approx(efficiency(640)));
}

TEST_CASE("attention layers: grouped queries, half of the layers windowed") {
  ModelDescription model = grouped_model();
  model.layers = 60;
  model.attention.window = 128;
  model.attention.windowed_layers = 30;
  const AttentionShape shape = attention_shape(model, decode_work());
  // 64 + 2 * 8 heads of 64.
  CHECK(shape.projections.front() == MatrixShape{5120, 7168});
  CHECK(shape.core.attended == (128 + 4096) / 2);
  CHECK(shape.core.cached_tokens == 128 * 2112);
  CHECK(shape.core.cached_bytes == 8 * 128 * 2);
  // 8 of a tile's 64 rows.
  CHECK(shape.core.efficiency == doctest::Approx(efficiency(635) * 2112 / (2112 + 256) / 8));
}

TEST_CASE("model layers: heads' ranks gather rows in front of attention, scatter sums behind") {
  const RoundMachine round;
  LayerWork work = decode_work();
  work.attention_ranks = 2;
  const MoeStepSpec spec = moe_layers(latent_model(), work, 1);
  CHECK(spec.tokens == 64);
  const MoeStep step = moe_step(spec, round.machine);
  // 64 rows of 14 336 bytes from and to one other rank, 917 504 bytes at 100 GB/s, and 5 us.
  CHECK(us_of(step, "all-gather of rows") == doctest::Approx(5 + 9.17504));
  CHECK(us_of(step, "reduce-scatter of attention") == doctest::Approx(5 + 9.17504));
  // Norms of own rows, 4 * 7168 * 2 bytes each at 1000 GB/s; 1 us is an empty kernel.
  CHECK(us_of(step, "attention norm") == doctest::Approx(1 + 3.670016));
  // Attention is of all 128: 2112 * 7168 + 128 * 7168 bytes read, 2 * 128 * 2112 written. A quarter
  // of the arithmetic shows: 88 tiles of 128 x 24 at half of the rate, and 56 blocks of depth.
  const double arithmetic = 2 * 128 * 24 * 7168 / (4096 * 1980.0) + 56 * kBlockScaledTimes.block_us;
  CHECK(us_of(step, "projection 0") == doctest::Approx(kBlockScaledTimes.fixed_us + 15.138816 +
                                                       0.917504 + 0.540672 + arithmetic / 4));
}

TEST_CASE("model layers: expert weights of four bits are unpacked to what linear layers use") {
  ModelDescription model = latent_model();
  model.expert_bits = 4;
  CHECK(moe_layers(model, decode_work(), 1).formats->experts ==
        GemmFormat{.dtype = StepDtype::fp8, .weight_bits = 4});
  model.linear_bits = 16;
  const StepFormats formats = *moe_layers(model, decode_work(), 1).formats;
  CHECK(formats.experts == GemmFormat{.dtype = StepDtype::bf16, .weight_bits = 4});
  CHECK(formats.linear == GemmFormat{.dtype = StepDtype::bf16, .weight_bits = 16});
}

TEST_CASE("model layers: prefill sorts rows by expert and sums them before they go home") {
  const RoundMachine round;
  const auto count = [&](const LayerWork& work, std::string_view name) {
    const MoeStep step = moe_step(moe_layers(latent_model(), work, 1), round.machine);
    return std::count_if(step.tasks.begin(), step.tasks.end(), [&](const MoeTask& one) {
      return one.task.name == name;
    });
  };
  CHECK(count(prefill_work(), "rows by expert") == 1);
  CHECK(count(prefill_work(), "sum of experts") == 1);
  CHECK(count(decode_work(), "rows by expert") == 0);
  CHECK(count(decode_work(), "sum of experts") == 0);
}

TEST_CASE("model layers: a dense layer is its attention and an MLP, once a micro-batch") {
  const RoundMachine round;
  LayerWork work = decode_work();
  const double one = to_us(dense_layer_time(latent_model(), work, round.machine));
  double attention = 0;
  for (const MoeTask& task :
       attention_step(moe_layers(latent_model(), work, 1), round.machine).tasks)
    attention += to_us(task.task.time);
  // Norm: 128 * 4 * 7168 * 2 bytes = 7.340032 us. Up: 36 864 * 7168 + 128 * 7168 bytes read and 2 *
  // 128 * 36 864 written: 264.241152 + 0.917504 + 9.437184 us. Product: 128 * 3 * 18 432 * 2 bytes
  // = 14.155776 us. Down: 7168 * 18 432 + 128 * 18 432 read, 2 * 128 * 7168 written: 132.120576 +
  // 2.359296 + 1.835008 us. Two empty kernels of 1 us and the fixed parts of two GEMMs.
  const double rest = 7.340032 + 264.241152 + 0.917504 + 9.437184 + 14.155776 + 132.120576 +
                      2.359296 + 1.835008 + 2 + 2 * kBlockScaledTimes.fixed_us;
  // A quarter of the arithmetic shows, at half of the rate. Up: 288 tiles of 128 x 128 in three
  // rounds, 14.4808 us of tensor cores and 56 * 16 384 / (128 * 1980) = 3.6202 us of sums each.
  // Down: 100 tiles of 128 x 72, 20.9455 us and 144 blocks' latency, which is more than their sums.
  const double arithmetic =
      3 * 2 * (14.4808 + 3.6202) + 2 * 20.9455 + 144 * kBlockScaledTimes.block_us;
  CHECK(one - attention == doctest::Approx(rest + arithmetic / 4).epsilon(1e-5));
  work.micro_batches = 2;
  CHECK(to_us(dense_layer_time(latent_model(), work, round.machine)) == doctest::Approx(2 * one));
}

TEST_CASE("model layers: the ends read an embedding and the vocabulary's matrix") {
  const RoundMachine round;
  // 100 tokens: 2 * 14 336 bytes each, 2.8672 us. 10 rows' norm: 10 * 4 * 14 336 bytes, 0.57344 us.
  // Logits in BF16: 1000 * 14 336 and 10 * 14 336 bytes read, 10 * 1000 * 2 written: 14.336 +
  // 0.14336 + 0.02 us. Two empty kernels of 1 us, a GEMM's 2 us.
  CHECK(to_us(ends_time(latent_model(), 100, 10, round.machine)) ==
        doctest::Approx(2.8672 + 0.57344 + 14.336 + 0.14336 + 0.02 + 4));
}
