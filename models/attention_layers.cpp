#include "models/attention_layers.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

// Efficiencies are TFLOP/s that a source names over the 1070 of 132 Hopper SMs at 1.98 GHz.
constexpr double kHopperPeak = 132 * kSmOperationsPerUs * 1e-6;
// FlashMLA's README, H800 SXM5: decode, dense; of chosen keys with an FP8 cache; prefill of chosen
// keys. https://github.com/deepseek-ai/FlashMLA
constexpr double kLatentDecode = kLatentDecodeTflops / kHopperPeak;
constexpr double kChosenDecode = 410 / kHopperPeak;
constexpr double kChosenPrefill = 640 / kHopperPeak;
// FlashAttention-3's paper, H100 SXM5, heads of 128, causal: 423, 521, 579, 602 and 616 TFLOP/s at
// 1, 2, 4, 8 and 16 Ki tokens, https://arxiv.org/abs/2407.08608. 635 and a cost of 256 further keys
// a query, those of tiles that the diagonal cuts and of a tile's beginning and end, give 423, 508,
// 564, 598 and 616.
constexpr double kFlashAttention = 635 / kHopperPeak;
constexpr double kFurtherKeys = 256;
// DeepGEMM's scores of an indexer, FP8, H800: 0.585 of 1979 TFLOP/s, measured by
// https://github.com/alibaba/InferSim (bench_data/dsa/prefill/h800); its peak here is twice BF16's.
constexpr double kIndexer = 0.585 * 1979 / (2 * kHopperPeak);
// Query rows of one tile: those of all heads that share keys, filled up to a warp group's 64.
constexpr std::int64_t kTileRows = 64;
constexpr double kBitsOfByte = 8, kBitsOfBf16 = 16;
constexpr std::int64_t kSamples = 32;

std::int64_t shared_out(std::int64_t value, std::int64_t parts) {
  return (value + parts - 1) / parts;
}

class AttentionBuilder {
 public:
  AttentionBuilder(const ModelDescription& model, const LayerWork& work)
      : model_(model), attention_(model.attention), work_(work) {
    check(work.attention_ranks > 0 && work.sequences > 0, "attention has ranks and sequences");
    heads_ = shared_out(attention_.heads, work.attention_ranks);
    queries_ = shared_out(work.tokens, work.sequences);
    is_fp8_ = model.linear_bits <= 8;
    shape_.core.heads = heads_;
    shape_.core.attended = mean_over_queries(attended_keys);
  }

  AttentionShape take() {
    if (attention_.kind == AttentionKind::gqa)
      grouped_queries();
    else if (work_.phase == ServingPhase::prefill && !attention_.shares_row && widens())
      expanded();
    else
      absorbed();
    if (attention_.indexer_heads > 0) indexer();
    return std::move(shape_);
  }

 private:
  // Of keys that a model's query sees, over the positions of a sequence's queries here.
  template <typename Keys>
  [[nodiscard]] std::int64_t mean_over_queries(Keys keys) const {
    double sum = 0;
    for (std::int64_t i = 0; i < kSamples; ++i)
      sum += keys(model_, work_.context + (2 * i + 1) * queries_ / (2 * kSamples) + 1);
    return std::max<std::int64_t>(1, std::llround(sum / kSamples));
  }
  // Keys that are read from memory: each once for a sequence's queries here.
  [[nodiscard]] std::int64_t read_keys() const {
    const std::int64_t all = work_.context + queries_;
    const double seen = attended_keys(model_, all);
    // Queries of one sequence choose different keys.
    const double read = attention_.chosen_keys > 0 ? seen * static_cast<double>(queries_) : seen;
    return work_.sequences * std::min<std::int64_t>(all, std::llround(read));
  }
  // Rows of a tile that queries fill.
  [[nodiscard]] double filled(std::int64_t heads_of_key) const {
    const std::int64_t rows = heads_of_key * queries_;
    return static_cast<double>(rows) / static_cast<double>(shared_out(rows, kTileRows) * kTileRows);
  }
  [[nodiscard]] double flash_efficiency() const {
    const auto attended = static_cast<double>(shape_.core.attended);
    return kFlashAttention * attended / (attended + kFurtherKeys);
  }

  // Keys before and among a sequence's queries here, whatever an indexer chooses.
  [[nodiscard]] std::int64_t all_keys() const { return work_.context + (queries_ + 1) / 2; }
  // Chosen keys are attended to absorbed; where they are most of all keys, looking at all of them
  // expanded and masking costs less, which https://github.com/deepseek-ai/DeepSeek-V3.2-Exp does.
  [[nodiscard]] bool widens() const {
    const std::int64_t absorbed_size = 2 * attention_.latent_size + attention_.rope_size;
    return attention_.chosen_keys == 0 ||
           all_keys() * (attention_.key_size + attention_.value_size) <=
               shape_.core.attended * absorbed_size;
  }

  // Rows that a token keeps, and its queries. Norms of latent rows read and write them, positions
  // are turned in place, FP8 copies are written for the next GEMM.
  void latent_projections() {
    const std::int64_t kept = attention_.latent_size + attention_.rope_size;
    const std::int64_t rank = attention_.query_rank;
    const std::int64_t queries = heads_ * attention_.key_size;
    shape_.projections.push_back({(rank > 0 ? rank : queries) + kept, model_.hidden});
    if (rank > 0) shape_.projections.push_back({queries, rank});
    shape_.row_kernels.push_back(2 * (rank + kept));
    if (is_fp8_ && rank > 0) shape_.row_kernels.push_back(rank * 3 / 2);
    shape_.row_kernels.push_back(2 * (heads_ * attention_.rope_size + attention_.rope_size));
  }
  void output_projections() {
    const std::int64_t width = heads_ * attention_.value_size;
    if (is_fp8_) shape_.output_row_kernels.push_back(width * 3 / 2);
    if (attention_.output_groups > 0 && attention_.output_rank > 0) {
      const std::int64_t groups = shared_out(attention_.output_groups, work_.attention_ranks);
      shape_.output.push_back({attention_.output_rank, shared_out(width, groups), groups});
      shape_.output.push_back({model_.hidden, groups * attention_.output_rank});
    } else {
      shape_.output.push_back({model_.hidden, width});
    }
  }

  void absorbed() {
    latent_projections();
    AttentionCore& core = shape_.core;
    const std::int64_t latent = attention_.latent_size;
    const std::int64_t plain = attention_.key_size - attention_.rope_size;
    if (!attention_.shares_row) shape_.projections.push_back({latent, plain, heads_, 0, true});
    core.key_size = latent + attention_.rope_size;
    core.value_size = attention_.shares_row ? attention_.value_size : latent;
    core.key_heads = 1;
    core.cached_tokens = read_keys();
    // FlashMLA's CTA holds 64 queries of 576 numbers in the shared memory of a whole SM.
    core.exposes_queries = true;
    // The part with position stays in BF16.
    core.cached_bytes =
        (static_cast<double>(latent) * model_.cache_bits +
         static_cast<double>(attention_.rope_size) * std::max(kBitsOfBf16, model_.cache_bits)) /
        kBitsOfByte;
    const bool chooses = attention_.chosen_keys > 0;
    const double best = !chooses                               ? kLatentDecode
                        : work_.phase == ServingPhase::prefill ? kChosenPrefill
                                                               : kChosenDecode;
    // Chosen keys are few: 410 TFLOP/s were named of few, with all that is fixed.
    if (!chooses && work_.phase == ServingPhase::decode) core.fixed = from_us(kLatentDecodeFixedUs);
    // Where keys are chosen, each query has its own tile.
    core.efficiency =
        best * (chooses ? static_cast<double>(heads_) /
                              static_cast<double>(shared_out(heads_, kTileRows) * kTileRows)
                        : filled(heads_));
    if (!attention_.shares_row)
      shape_.output.push_back({attention_.value_size, latent, heads_, 0, true});
    output_projections();
  }

  void expanded() {
    latent_projections();
    AttentionCore& core = shape_.core;
    core.attended = all_keys();
    const std::int64_t widened =
        heads_ * (attention_.key_size - attention_.rope_size + attention_.value_size);
    shape_.projections.push_back(
        {widened, attention_.latent_size, 1, work_.context * work_.sequences});
    core.key_size = attention_.key_size;
    core.value_size = attention_.value_size;
    core.key_heads = heads_;
    core.cached_tokens = work_.sequences * (work_.context + queries_);
    core.efficiency = flash_efficiency();
    output_projections();
  }

  void grouped_queries() {
    AttentionCore& core = shape_.core;
    const std::int64_t key_heads =
        std::max<std::int64_t>(1, shared_out(attention_.key_heads, work_.attention_ranks));
    const std::int64_t kept = key_heads * (attention_.key_size + attention_.value_size);
    const std::int64_t queries = heads_ * attention_.key_size;
    const std::int64_t rank = attention_.query_rank;
    shape_.projections.push_back({(rank > 0 ? rank : queries) + kept, model_.hidden});
    if (rank > 0) shape_.projections.push_back({queries, rank});
    // Positions are turned in place, keys and values go to the cache.
    shape_.row_kernels.push_back(2 * (queries + kept));
    core.key_size = attention_.key_size;
    core.value_size = attention_.value_size;
    core.key_heads = key_heads;
    core.cached_tokens = read_keys();
    core.cached_bytes = static_cast<double>(kept) * model_.cache_bits / kBitsOfByte;
    core.efficiency = flash_efficiency() * filled(std::max<std::int64_t>(1, heads_ / key_heads));
    output_projections();
  }

  // Every rank has the whole indexer; layers without one count nothing.
  void indexer() {
    const std::int64_t heads = attention_.indexer_heads, size = attention_.indexer_size;
    const std::int64_t depth = attention_.query_rank > 0 ? attention_.query_rank : model_.hidden;
    shape_.projections.push_back({heads * size, depth});
    shape_.projections.push_back({size + heads, model_.hidden, 1, 0, true});
    AttentionCore scores;
    scores.heads = heads;
    // FP8 multiplies twice as many numbers; there are no values.
    scores.key_size = shared_out(size, 2);
    scores.key_heads = 1;
    scores.attended = mean_over_queries(indexed_keys);
    scores.cached_tokens =
        work_.sequences * std::llround(indexed_keys(model_, work_.context + queries_));
    scores.cached_bytes = static_cast<double>(size);
    scores.efficiency = kIndexer;
    shape_.indexer = scores;
  }

  const ModelDescription& model_;
  const AttentionDescription& attention_;
  const LayerWork& work_;
  AttentionShape shape_;
  std::int64_t heads_ = 0, queries_ = 0;
  bool is_fp8_ = false;
};

}  // namespace

AttentionShape attention_shape(const ModelDescription& model, const LayerWork& work) {
  return AttentionBuilder(model, work).take();
}

}  // namespace epsim
