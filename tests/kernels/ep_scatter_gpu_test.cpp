#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <cuda_runtime.h>

#include <doctest/doctest.h>

#include "kernels/gpu_set.hpp"
#include "kernels/reference/ep_scatter_reference.hpp"
#include "kernels/scatter/ep_gather.cuh"
#include "kernels/scatter/ep_scatter_prefix.cuh"
#include "kernels/scatter/ep_scatter_tokens.cuh"
#include "tests/kernels/gpu_tests.hpp"

using epsim::enough_gpus;
using epsim::kernels::DeviceArray;
using epsim::kernels::EpScatterPrefix;
using epsim::kernels::EpScatterVariant;
using epsim::kernels::GpuSet;

namespace {

constexpr int kPoisonByte = 0x80;
constexpr int kPoison = std::bit_cast<int>(0x80808080u);
constexpr EpScatterVariant kCorrectVariants[] = {EpScatterVariant::barrier,
                                                 EpScatterVariant::block_sum,
                                                 EpScatterVariant::block_sum_own,
                                                 EpScatterVariant::two_kernels,
                                                 EpScatterVariant::shared_broadcast};

// Counts of `experts` experts, not multiples of anything, some 0, and what a launch writes.
struct Prefix {
  std::vector<int> counts;
  DeviceArray<int> counts_on_gpu, starts, rows, stale_reads;

  explicit Prefix(std::size_t experts)
      : counts_on_gpu(0, experts), starts(0, experts), stale_reads(0, experts) {
    for (std::size_t e = 0; e < experts; ++e) counts.push_back(static_cast<int>(e * 37 % 301));
    counts_on_gpu.upload(counts);
    rows = {0, epsim::kernels::row_experts(counts).size() + 1};  // and a guard
  }

  EpScatterPrefix poisoned() {
    starts.fill(kPoisonByte);
    rows.fill(kPoisonByte);
    stale_reads.fill(0);
    return {.counts = counts_on_gpu.data(),
            .expert_count = static_cast<int>(counts.size()),
            .starts = starts.data(),
            .row_experts = rows.data(),
            .row_capacity = static_cast<int>(rows.size()) - 1,
            .stale_reads = stale_reads.data(),
            .first_expert = 0,
            .cta_count = static_cast<int>(counts.size()),
            .storing_warp_delay_ns = 0};
  }
  EpScatterPrefix poisoned_for_one_cta(int expert) {
    EpScatterPrefix work = poisoned();
    work.first_expert = expert;
    work.cta_count = 1;
    work.storing_warp_delay_ns = 5000;
    return work;
  }
  std::ptrdiff_t stale_count() const { return std::ranges::count(stale_reads.download(), 1); }
};

}  // namespace

TEST_CASE(
    "ep_scatter prefix: every variant but the racy one gives starts and rows of all experts") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  // Around the edges: one warp, one expert a thread, two experts a thread.
  for (const std::size_t experts : {1u, 8u, 31u, 33u, 256u, 257u, 512u}) {
    Prefix prefix(experts);
    for (const EpScatterVariant variant : kCorrectVariants) {
      epsim::kernels::launch_ep_scatter_prefix(variant, prefix.poisoned(), gpus.stream(0));
      gpus.synchronize();
      CHECK(prefix.stale_count() == 0);
      CHECK(prefix.starts.download() == epsim::kernels::expert_starts(prefix.counts));
      std::vector<int> rows = prefix.rows.download();
      CHECK(rows.back() == kPoison);
      rows.pop_back();
      CHECK(rows == epsim::kernels::row_experts(prefix.counts));
    }
  }
}

TEST_CASE("ep_scatter prefix: a late storing warp and a lone CTA mislead no correct variant") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  for (const std::size_t experts : {8u, 256u, 512u}) {
    Prefix prefix(experts);
    const std::vector<int> starts = epsim::kernels::expert_starts(prefix.counts);
    const std::size_t expert = experts - 3;
    const std::size_t first = static_cast<std::size_t>(starts[expert]);
    for (const EpScatterVariant variant : kCorrectVariants) {
      const EpScatterPrefix work = prefix.poisoned_for_one_cta(static_cast<int>(expert));
      epsim::kernels::launch_ep_scatter_prefix(variant, work, gpus.stream(0));
      gpus.synchronize();
      CHECK(prefix.stale_count() == 0);
      CHECK(prefix.starts.download().at(expert) == starts[expert]);
      const std::vector<int> rows = prefix.rows.download();
      const std::ptrdiff_t written = std::ranges::count(rows, static_cast<int>(expert));
      CHECK(written == prefix.counts[expert]);
      CHECK(rows.at(first) == static_cast<int>(expert));
      CHECK(std::ranges::count(rows, kPoison) == std::ssize(rows) - written);
    }
  }
}

TEST_CASE("ep_scatter prefix: the racy variant reads a stale start, and then writes no wrong row") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  Prefix prefix(256);
  const std::vector<int> owners = epsim::kernels::row_experts(prefix.counts);
  std::ptrdiff_t stale_launches = 0;
  // A sleep may end at once, so one launch proves nothing.
  for (int i = 0; i < 50; ++i) {
    const EpScatterPrefix work = prefix.poisoned_for_one_cta(100);
    epsim::kernels::launch_ep_scatter_prefix(EpScatterVariant::racy, work, gpus.stream(0));
    gpus.synchronize();
    stale_launches += prefix.stale_count();
    const std::vector<int> rows = prefix.rows.download();
    std::ptrdiff_t wrong = 0;
    for (std::size_t row = 0; row < owners.size(); ++row)
      wrong += rows[row] != kPoison && (rows[row] != 100 || owners[row] != 100);
    CHECK(wrong == 0);
    CHECK(rows.back() == kPoison);
  }
  CHECK(stale_launches > 0);
}

namespace {

constexpr std::size_t kTokens = 300, kTopK = 4, kHidden = 256, kExperts = 16;
constexpr std::size_t kScales = kHidden / epsim::kernels::kScatterScaleGroup;

// Scatters kTokens tokens by `expert_ids`; the outcome is on the host.
struct Scatter {
  std::vector<int> ids, starts, ends, token_rows;
  std::vector<std::uint8_t> tokens, rows;
  std::vector<float> scales, row_scales;
  int error_word = 0;

  Scatter(std::vector<int> expert_ids, const GpuSet& gpus) : ids(std::move(expert_ids)) {
    for (std::size_t i = 0; i < kTokens * kHidden; ++i)
      tokens.push_back(static_cast<std::uint8_t>(i / kHidden * 7 + i));
    for (std::size_t i = 0; i < kTokens * kScales; ++i) scales.push_back(static_cast<float>(i));
    starts = epsim::kernels::expert_starts(
        epsim::kernels::tokens_of_experts(ids, static_cast<int>(kExperts)));
    run(gpus);
  }

  std::string fault() const {
    return epsim::kernels::scatter_fault({.expert_ids = ids,
                                          .starts = starts,
                                          .ends = ends,
                                          .token_rows = token_rows,
                                          .tokens = tokens,
                                          .rows = rows,
                                          .scales = scales,
                                          .scales_of_rows = row_scales,
                                          .top_k = kTopK,
                                          .row_bytes = kHidden,
                                          .row_scales = kScales});
  }

 private:
  void run(const GpuSet& gpus) {
    const std::size_t entries = kTokens * kTopK;
    DeviceArray<std::uint8_t> tokens_on_gpu(0, tokens.size()), rows_on_gpu(0, entries * kHidden);
    DeviceArray<float> scales_on_gpu(0, scales.size()), row_scales_on_gpu(0, entries * kScales);
    DeviceArray<int> ids_on_gpu(0, entries), next_row(0, kExperts), rows_of_tokens(0, entries);
    DeviceArray<int> error(0, 1);
    tokens_on_gpu.upload(tokens);
    scales_on_gpu.upload(scales);
    ids_on_gpu.upload(ids);
    next_row.upload(starts);
    rows_on_gpu.fill(0xff);
    row_scales_on_gpu.fill(0xff);
    rows_of_tokens.fill(kPoisonByte);
    error.fill(0);
    epsim::kernels::launch_ep_scatter_tokens(
        {.tokens = reinterpret_cast<const uint4*>(tokens_on_gpu.data()),
         .scales = scales_on_gpu.data(),
         .expert_ids = ids_on_gpu.data(),
         .next_row = next_row.data(),
         .rows = reinterpret_cast<uint4*>(rows_on_gpu.data()),
         .row_scales = row_scales_on_gpu.data(),
         .token_rows = rows_of_tokens.data(),
         .error_word = error.data(),
         .token_count = static_cast<int>(kTokens),
         .top_k = static_cast<int>(kTopK),
         .hidden = static_cast<int>(kHidden),
         .expert_count = static_cast<int>(kExperts),
         .row_capacity = static_cast<int>(entries)},
        gpus.stream(0));
    gpus.synchronize();
    ends = next_row.download();
    token_rows = rows_of_tokens.download();
    rows = rows_on_gpu.download();
    row_scales = row_scales_on_gpu.download();
    error_word = error.download().at(0);
  }
};

std::vector<int> expert_ids_with(int every_seventh) {
  std::vector<int> ids;
  for (std::size_t i = 0; i < kTokens * kTopK; ++i)
    ids.push_back(i % 7 == 6 ? every_seventh : static_cast<int>(i * 5 % kExperts));
  return ids;
}

}  // namespace

TEST_CASE("ep_scatter tokens: every entry with an expert gets a row of its own, in the expert's") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  const Scatter scatter(expert_ids_with(-1), gpus);
  CHECK(scatter.fault() == "");
  CHECK(scatter.error_word == 0);
}

TEST_CASE("ep_scatter tokens: an id that is no expert is skipped, and the greatest one is told") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  for (const int bad : {static_cast<int>(kExperts), 1 << 30, -2}) {
    const Scatter scatter(expert_ids_with(bad), gpus);
    CHECK(scatter.fault() == "");
    // 300 * 4 = 1200 entries; the last i with i mod 7 = 6 is 7 * 170 + 6 = 1196.
    CHECK(scatter.error_word == 1196 + 1);
  }
}

TEST_CASE("ep_gather: each token is the weighted sum of its rows") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  // Small integers and weights of 1, 2 and 1/2, so that FP32 and BF16 are exact: with rows up to 15
  // and three of them, a sum is at most 15 * 3.5 = 52.5 in steps of 1/2, and BF16 has 8 bits.
  constexpr std::size_t tokens = 5, top_k = 3, hidden = 1032, row_count = 9;
  std::vector<float> rows, weights;
  std::vector<std::uint16_t> rows_in_bf16;
  for (std::size_t i = 0; i < row_count * hidden; ++i) {
    rows.push_back(static_cast<float>((i / hidden * 3 + i) % 16));
    rows_in_bf16.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(rows[i]) >> 16));
  }
  std::vector<int> token_rows;
  for (std::size_t i = 0; i < tokens * top_k; ++i) {
    token_rows.push_back(i % 5 == 4 ? -1 : static_cast<int>(i * 4 % row_count));
    weights.push_back(i % 3 == 0 ? 1.0F : i % 3 == 1 ? 2.0F : 0.5F);
  }
  DeviceArray<std::uint16_t> rows_on_gpu(0, rows.size()), tokens_on_gpu(0, tokens * hidden);
  DeviceArray<int> token_rows_on_gpu(0, token_rows.size());
  DeviceArray<float> weights_on_gpu(0, weights.size());
  rows_on_gpu.upload(rows_in_bf16);
  token_rows_on_gpu.upload(token_rows);
  weights_on_gpu.upload(weights);
  tokens_on_gpu.fill(0xff);
  epsim::kernels::launch_ep_gather({.rows = reinterpret_cast<const uint4*>(rows_on_gpu.data()),
                                    .token_rows = token_rows_on_gpu.data(),
                                    .weights = weights_on_gpu.data(),
                                    .tokens = reinterpret_cast<uint4*>(tokens_on_gpu.data()),
                                    .token_count = static_cast<int>(tokens),
                                    .top_k = static_cast<int>(top_k),
                                    .hidden = static_cast<int>(hidden)},
                                   gpus.stream(0));
  gpus.synchronize();
  std::vector<float> gathered;
  for (const std::uint16_t bits : tokens_on_gpu.download())
    gathered.push_back(std::bit_cast<float>(std::uint32_t{bits} << 16));
  CHECK(gathered == epsim::kernels::ep_gather_reference({.rows = rows,
                                                         .token_rows = token_rows,
                                                         .weights = weights,
                                                         .top_k = top_k,
                                                         .hidden = hidden}));
}
