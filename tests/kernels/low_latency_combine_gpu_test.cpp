#include "kernels/low_latency/combine.cuh"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/cuda_check.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/reference/low_latency_reference.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

constexpr int kPoison = 0xff;  // a NaN in BF16, which no sum below is

struct Sizes {
  int ranks = 1;
  int experts = 8;
  std::vector<int> tokens{12};  // of each rank
  int most_tokens = 12;
  int top_k = 3;
  int hidden = 1024;
};

std::size_t count(int n) {
  return static_cast<std::size_t>(n);
}

// Distinct experts for a token; one choice in five is masked, and all those of token 2.
std::int64_t chosen_expert(const Sizes& sizes, int rank, int token, int k) {
  if (token == 2 || (token + 2 * k + rank) % 5 == 0) return -1;
  return (5 * rank + 3 * token + k) % sizes.experts;
}

float weight_of(int token, int k) {
  return 0.1F * static_cast<float>(k + 1) + 0.01F * static_cast<float>(token);
}

// A whole number from -127 to 127, over 64: exact in BF16.
std::uint16_t output_of(int expert, int rank, int token, int channel) {
  const int value = (31 * expert + 17 * rank + 7 * token + 3 * channel) % 255 - 127;
  return nearest_bf16(static_cast<float>(value) / 64.0F);
}

// What a dispatch would have left on one rank, and what its experts made of it.
struct ExpertSide {
  std::vector<std::uint16_t> rows;
  std::vector<int> source_token;
  std::vector<int2> source_range;
};

// Sources lie in falling order, so that no range begins where one might guess it.
ExpertSide expert_side(const Sizes& sizes, int rank) {
  const int local_experts = sizes.experts / sizes.ranks;
  const int rows_each = sizes.ranks * sizes.most_tokens;
  ExpertSide side{std::vector<std::uint16_t>(count(local_experts * rows_each * sizes.hidden)),
                  std::vector<int>(count(local_experts * rows_each), -1),
                  std::vector<int2>(count(sizes.experts))};
  for (int local = 0; local < local_experts; ++local) {
    const int expert = rank * local_experts + local;
    int row = 0;
    for (int source = sizes.ranks - 1; source >= 0; --source) {
      const int first = row;
      for (int token = sizes.tokens[count(source)] - 1; token >= 0; --token)
        for (int k = 0; k < sizes.top_k; ++k) {
          if (chosen_expert(sizes, source, token, k) != expert) continue;
          const std::size_t at = count(local * rows_each + row++);
          side.source_token[at] = token;
          for (int c = 0; c < sizes.hidden; ++c)
            side.rows[at * count(sizes.hidden) + count(c)] = output_of(expert, source, token, c);
        }
      side.source_range[count(local * sizes.ranks + source)] = {row - first, first};
    }
  }
  return side;
}

// A combine of some GPUs, one rank each, and what must come of it.
class Exchange {
 public:
  explicit Exchange(const Sizes& sizes)
      : sizes_(sizes),
        gpus_(sizes.ranks),
        receive_(gpus_, combine_receive_bytes(shape(0))),
        flags_(gpus_, count(sizes.experts)),
        output_(gpus_, count(sizes.most_tokens * sizes.hidden)) {
    flags_.fill(0);
    for (int rank = 0; rank < sizes.ranks; ++rank) upload(rank);
  }

  void combine(CombineFence fence, StagePitch pitch, std::vector<LaunchHalf> halves) {
    ++generation_;
    receive_.fill(kPoison);
    output_.fill(kPoison);
    for (const LaunchHalf half : halves) {
      for (int rank = 0; rank < sizes_.ranks; ++rank) {
        cuda_check(cudaSetDevice(rank));
        launch_low_latency_combine(work(rank), fence, pitch, half, gpus_.stream(rank));
      }
      gpus_.synchronize();
    }
  }

  // Output elements of a rank that are not the weighted sum of what its experts sent, bit by bit;
  // elements behind its last token must still be poison.
  [[nodiscard]] int wrong_elements(int rank) const {
    const std::vector<std::uint16_t> found = output_.on(rank).download();
    int wrong = 0;
    for (int token = 0; token < sizes_.most_tokens; ++token) {
      const std::vector<std::uint16_t> expected = expected_token(rank, token);
      for (std::size_t c = 0; c < expected.size(); ++c)
        wrong += found[count(token * sizes_.hidden) + c] == expected[c] ? 0 : 1;
    }
    return wrong;
  }

  void check_all() const {
    for (int rank = 0; rank < sizes_.ranks; ++rank) {
      CAPTURE(rank);
      CHECK(wrong_elements(rank) == 0);
    }
  }

  [[nodiscard]] LowLatencyCombine work(int rank) const {
    const Rank& own = ranks_[count(rank)];
    return {.shape = shape(rank),
            .rows = reinterpret_cast<const std::uint8_t*>(own.rows.data()),
            .source = {.rows = nullptr,
                       .scales = nullptr,
                       .source_token = own.source_token.data(),
                       .source_range = own.source_range.data()},
            .expert_ids = own.expert_ids.data(),
            .weights = own.weights.data(),
            .receive = receive_.peers(),
            .flags = flags_.peers(),
            .output = output_.on(rank).data(),
            .generation = generation_};
  }

 private:
  struct Rank {
    DeviceArray<std::uint16_t> rows;
    DeviceArray<int> source_token;
    DeviceArray<int2> source_range;
    DeviceArray<std::int64_t> expert_ids;
    DeviceArray<float> weights;
  };

  [[nodiscard]] LowLatencyShape shape(int rank) const {
    return {.rank = rank,
            .rank_count = sizes_.ranks,
            .expert_count = sizes_.experts,
            .token_count = sizes_.tokens[count(rank)],
            .most_tokens = sizes_.most_tokens,
            .top_k = sizes_.top_k,
            .hidden = sizes_.hidden};
  }

  void upload(int rank) {
    const ExpertSide side = expert_side(sizes_, rank);
    const std::size_t choices = count(sizes_.most_tokens * sizes_.top_k);
    std::vector<std::int64_t> ids(choices, -1);
    std::vector<float> weights(choices, 0);
    for (int token = 0; token < sizes_.tokens[count(rank)]; ++token)
      for (int k = 0; k < sizes_.top_k; ++k) {
        ids[count(token * sizes_.top_k + k)] = chosen_expert(sizes_, rank, token, k);
        weights[count(token * sizes_.top_k + k)] = weight_of(token, k);
      }
    ranks_.push_back({{rank, side.rows.size()},
                      {rank, side.source_token.size()},
                      {rank, side.source_range.size()},
                      {rank, choices},
                      {rank, choices}});
    ranks_.back().rows.upload(side.rows);
    ranks_.back().source_token.upload(side.source_token);
    ranks_.back().source_range.upload(side.source_range);
    ranks_.back().expert_ids.upload(ids);
    ranks_.back().weights.upload(weights);
  }

  [[nodiscard]] std::vector<std::uint16_t> expected_token(int rank, int token) const {
    if (token >= sizes_.tokens[count(rank)])
      return std::vector<std::uint16_t>(count(sizes_.hidden), std::uint16_t{0xffff});
    std::vector<std::vector<std::uint16_t>> rows;
    std::vector<float> weights;
    for (int k = 0; k < sizes_.top_k; ++k) {
      const std::int64_t expert = chosen_expert(sizes_, rank, token, k);
      if (expert < 0) continue;
      weights.push_back(weight_of(token, k));
      rows.emplace_back();
      for (int c = 0; c < sizes_.hidden; ++c)
        rows.back().push_back(output_of(static_cast<int>(expert), rank, token, c));
    }
    std::vector<WeightedRow> weighted;
    for (std::size_t i = 0; i < rows.size(); ++i) weighted.push_back({rows[i], weights[i]});
    return combine_rows(weighted, count(sizes_.hidden));
  }

  Sizes sizes_;
  GpuSet gpus_;
  Symmetric<std::uint8_t> receive_;
  Symmetric<int> flags_;
  Symmetric<std::uint16_t> output_;
  std::vector<Rank> ranks_;
  int generation_ = 0;
};

constexpr LaunchHalf kBoth = LaunchHalf::both, kSend = LaunchHalf::send,
                     kReceive = LaunchHalf::receive;

// Two launches first: while none waits for another GPU, every GPU loads the kernel.
void check_every_fence(const Sizes& sizes) {
  Exchange exchange(sizes);
  for (std::size_t index = 0; index < kCombineFences; ++index) {
    CAPTURE(index);
    const auto fence = static_cast<CombineFence>(index);
    for (const std::vector<LaunchHalf>& halves :
         {std::vector{kSend, kReceive}, std::vector{kBoth}}) {
      exchange.combine(fence, StagePitch::packed, halves);
      // Where a ring's reads and loads are not ordered, sums may be wrong, and sometimes are.
      if (closes_ring_edge(fence)) exchange.check_all();
    }
  }
}

void check_shape(const Sizes& sizes) {
  Exchange exchange(sizes);
  for (const StagePitch pitch : {StagePitch::packed, StagePitch::aligned}) {
    exchange.combine(CombineFence::once_and_stage_release, pitch, {kSend, kReceive});
    exchange.check_all();
    exchange.combine(CombineFence::once_and_stage_release, pitch, {kBoth});
    exchange.check_all();
  }
}

}  // namespace

TEST_CASE(
    "LL combine: one rank adds up its rows, bit by bit, with every placement that is ordered") {
  if (!enough_gpus(1)) return;
  check_every_fence({});
}

TEST_CASE("LL combine: two ranks add up rows of both, with every placement that is ordered") {
  if (!enough_gpus(2)) return;
  check_every_fence({.ranks = 2, .tokens = {12, 7}});
}

TEST_CASE("LL combine: four ranks add up rows of all, with every placement that is ordered") {
  if (!enough_gpus(4)) return;
  check_every_fence({.ranks = 4, .experts = 16, .tokens = {12, 7, 1, 9}});
}

TEST_CASE("LL combine: rows of every length that models use are whole, in both pitches") {
  if (!enough_gpus(1)) return;
  // 2560 is an odd multiple of 512: its rows are sent in smaller blocks.
  for (const int hidden : {512, 2048, 2560, 4096, 5120, 7168, 8192}) {
    CAPTURE(hidden);
    check_shape({.tokens = {5}, .most_tokens = 5, .hidden = hidden});
  }
}

TEST_CASE("LL combine: rings go round many times where tokens outnumber the groups") {
  if (!enough_gpus(1)) return;
  // 700 tokens are 2 or 3 for each group of an H200; 16 choices each reuse a ring of 3 stages.
  check_shape({.experts = 32, .tokens = {700}, .most_tokens = 700, .top_k = 16, .hidden = 512});
}

TEST_CASE("LL combine: more experts than SMs share CTAs") {
  if (!enough_gpus(1)) return;
  for (const int experts : {256, 288, 512}) {
    CAPTURE(experts);
    check_shape({.experts = experts, .tokens = {64}, .most_tokens = 64, .top_k = 8});
  }
}

TEST_CASE("LL combine: a rank without tokens sends and takes part, and writes nothing") {
  if (!enough_gpus(1)) return;
  check_shape({.tokens = {0}});
  if (!enough_gpus(2)) return;
  check_shape({.ranks = 2, .tokens = {0, 12}});
}

TEST_CASE("LL combine: the same buffers serve call after call without being cleaned") {
  if (!enough_gpus(2)) return;
  Exchange exchange({.ranks = 2, .tokens = {12, 12}});
  for (int call = 0; call < 5; ++call) {
    exchange.combine(CombineFence::none,
                     StagePitch::packed,
                     call == 0 ? std::vector{kSend, kReceive} : std::vector{kBoth});
    exchange.check_all();
  }
}

TEST_CASE("LL combine: a shape that the kernel cannot do is refused before it is launched") {
  if (!enough_gpus(1)) return;
  const Exchange exchange({});
  const auto refused = [&](const std::function<void(LowLatencyShape&)>& change) {
    LowLatencyCombine work = exchange.work(0);
    change(work.shape);
    CHECK_THROWS_AS(
        launch_low_latency_combine(work, CombineFence::none, StagePitch::packed, kBoth, nullptr),
        CudaError);
  };
  refused([](LowLatencyShape& shape) { shape.hidden = 1000; });
  refused([](LowLatencyShape& shape) { shape.top_k = kMostTopK + 1; });
  refused([](LowLatencyShape& shape) { shape.token_count = shape.most_tokens + 1; });
  refused([](LowLatencyShape& shape) { shape.hidden = 32 * 512; });
}
