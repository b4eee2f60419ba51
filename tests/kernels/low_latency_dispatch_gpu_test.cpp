#include "kernels/low_latency/dispatch.cuh"

#include <algorithm>
#include <cstdint>
#include <random>
#include <set>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/gpu_set.hpp"
#include "kernels/low_latency/stamp_oracle.cuh"
#include "kernels/reference/low_latency_reference.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

using Ids = std::vector<std::int64_t>;

struct Sizes {
  int ranks = 1;
  int experts = 8;
  int most_tokens = 4;
  int top_k = 2;
  int hidden = 2048;
  RowFormat format = RowFormat::fp8;
};

// Distinct random experts for each token.
Ids random_ids(const Sizes& sizes, int tokens, std::uint32_t seed) {
  std::mt19937 random(seed);
  Ids pool, ids;
  for (int e = 0; e < sizes.experts; ++e) pool.push_back(e);
  for (int t = 0; t < tokens; ++t) {
    std::shuffle(pool.begin(), pool.end(), random);
    ids.insert(ids.end(), pool.begin(), pool.begin() + sizes.top_k);
  }
  return ids;
}

// All that a dispatch needs on some GPUs, one rank each, and what must come of it.
class Exchange {
 public:
  // `ids` of rank r: top_k for each of its tokens.
  Exchange(const Sizes& sizes, std::vector<Ids> ids)
      : sizes_(sizes),
        ids_(std::move(ids)),
        gpus_(sizes.ranks),
        tokens_(gpus_, count(sizes.most_tokens * sizes.hidden)),
        expert_ids_(gpus_, count(sizes.most_tokens * sizes.top_k)),
        staging_(gpus_, count(sizes.most_tokens * message_bytes())),
        receive_(gpus_, dispatch_receive_bytes(shape(0), fp8())),
        counts_(gpus_, count(sizes.experts)),
        counters_(gpus_, dispatch_counters(shape(0))),
        rows_(gpus_, all_rows() * row_bytes()),
        scales_(gpus_, all_rows() * groups()),
        source_token_(gpus_, all_rows()),
        source_range_(gpus_, count(sizes.experts)),
        error_(gpus_, 1) {
    counts_.fill(0);
    counters_.fill(0);
    for (int r = 0; r < sizes_.ranks; ++r) {
      host_tokens_.push_back(random_tokens(static_cast<std::uint32_t>(r) + 1));
      tokens_.on(r).upload(host_tokens_.back());
      expert_ids_.on(r).upload(ids_[std::size_t(r)]);
    }
  }

  [[nodiscard]] LowLatencyShape shape(int rank) const {
    return {.rank = rank,
            .rank_count = sizes_.ranks,
            .expert_count = sizes_.experts,
            .token_count = static_cast<int>(ids_[std::size_t(rank)].size()) / sizes_.top_k,
            .most_tokens = sizes_.most_tokens,
            .top_k = sizes_.top_k,
            .hidden = sizes_.hidden};
  }
  [[nodiscard]] LowLatencyDispatch work(int rank, int generation) const {
    return {.shape = shape(rank),
            .tokens = tokens_.on(rank).data(),
            .expert_ids = expert_ids_.on(rank).data(),
            .staging = staging_.on(rank).data(),
            .receive = receive_.peers(),
            .counts = counts_.peers(),
            .counters = counters_.on(rank).data(),
            .output = {.rows = rows_.on(rank).data(),
                       .scales = scales_.on(rank).data(),
                       .source_token = source_token_.on(rank).data(),
                       .source_range = source_range_.on(rank).data()},
            .error = error_.on(rank).data(),
            .generation = generation};
  }

  // Poisons what a dispatch writes, and runs one on all ranks.
  void run(int generation, std::vector<LaunchHalf> halves = {LaunchHalf::both}) {
    rows_.fill(kStampPoisonByte);
    scales_.fill(kStampPoisonByte);
    source_token_.fill(kStampPoisonByte);
    source_range_.fill(kStampPoisonByte);
    receive_.fill(kStampPoisonByte);
    error_.fill(0);
    for (int r = 0; r < sizes_.ranks; ++r) {
      cuda_check(cudaSetDevice(r));
      for (const LaunchHalf half : halves)
        launch_low_latency_dispatch(work(r, generation), sizes_.format, half, gpus_.stream(r));
    }
    gpus_.synchronize();
  }

  [[nodiscard]] int error(int rank) const { return error_.on(rank).download()[0]; }
  [[nodiscard]] int2 range(int rank, int local, int source) const {
    return source_range_.on(rank).download()[count(local * sizes_.ranks + source)];
  }

  // Every row arrived once from its source, bit by bit, and nothing else was written.
  void check_all() const {
    for (int r = 0; r < sizes_.ranks; ++r) {
      const Arrived arrived{rows_.on(r).download(),
                            scales_.on(r).download(),
                            source_token_.on(r).download(),
                            source_range_.on(r).download()};
      for (int local = 0; local < local_experts(); ++local) check_expert(arrived, r, local);
    }
  }

 private:
  struct Arrived {
    std::vector<std::uint8_t> rows;
    std::vector<float> scales;
    std::vector<int> source_token;
    std::vector<int2> source_range;
  };

  static std::size_t count(int n) { return static_cast<std::size_t>(n); }
  [[nodiscard]] bool fp8() const { return sizes_.format == RowFormat::fp8; }
  [[nodiscard]] int message_bytes() const { return dispatch_message_bytes(sizes_.hidden, fp8()); }
  [[nodiscard]] int local_experts() const { return sizes_.experts / sizes_.ranks; }
  [[nodiscard]] std::size_t row_bytes() const { return count(sizes_.hidden * (fp8() ? 1 : 2)); }
  [[nodiscard]] std::size_t groups() const { return count(sizes_.hidden / kScaleGroup); }
  [[nodiscard]] std::size_t expert_rows() const { return count(sizes_.ranks * sizes_.most_tokens); }
  [[nodiscard]] std::size_t all_rows() const { return count(local_experts()) * expert_rows(); }

  [[nodiscard]] std::vector<std::uint16_t> random_tokens(std::uint32_t seed) const {
    std::mt19937 random(seed);
    std::vector<std::uint16_t> tokens(count(sizes_.most_tokens * sizes_.hidden));
    // Any sign; exponents from 2^-15 to 2^16.
    for (std::uint16_t& bits : tokens)
      bits = static_cast<std::uint16_t>((random() & 0x8fffU) + 0x3800U);
    return tokens;
  }

  [[nodiscard]] DispatchedRow arrived_row(const Arrived& all, int local, std::size_t row) const {
    const std::size_t first = (count(local) * expert_rows() + row) * row_bytes();
    DispatchedRow found;
    found.payload.assign(all.rows.begin() + static_cast<std::ptrdiff_t>(first),
                         all.rows.begin() + static_cast<std::ptrdiff_t>(first + row_bytes()));
    for (std::size_t g = 0; fp8() && g < groups(); ++g)
      found.scales.push_back(all.scales[(count(local) * groups() + g) * expert_rows() + row]);
    return found;
  }

  void check_expert(const Arrived& all, int rank, int local) const {
    std::set<std::size_t> written;
    for (int source = 0; source < sizes_.ranks; ++source) {
      CAPTURE(rank);
      CAPTURE(local);
      CAPTURE(source);
      const int2 range = all.source_range[count(local * sizes_.ranks + source)];
      std::vector<int> due = tokens_for_expert({ids_[count(source)], count(sizes_.top_k)},
                                               rank * local_experts() + local);
      REQUIRE(range.x == static_cast<int>(due.size()));
      std::vector<int> came;
      for (std::size_t row = count(range.y); row < count(range.y + range.x); ++row) {
        CHECK(written.insert(row).second);
        came.push_back(all.source_token[count(local) * expert_rows() + row]);
        REQUIRE(std::count(due.begin(), due.end(), came.back()) > 0);
        const std::span<const std::uint16_t> token =
            std::span(host_tokens_[count(source)])
                .subspan(count(came.back() * sizes_.hidden), count(sizes_.hidden));
        const bool same = arrived_row(all, local, row) == dispatched_row(token, fp8());
        CHECK(same);
      }
      std::sort(came.begin(), came.end());
      CHECK(came == due);
    }
    // The rows lie together at the front, and what is behind them is still poison.
    CHECK((written.empty() || *written.rbegin() == written.size() - 1));
    const std::vector<std::uint8_t> poison(row_bytes(), kStampPoisonByte);
    for (std::size_t row = written.size(); row < expert_rows(); ++row) {
      const bool untouched = arrived_row(all, local, row).payload == poison;
      CHECK(untouched);
      CHECK(all.source_token[count(local) * expert_rows() + row] == -1);
    }
  }

  Sizes sizes_;
  std::vector<Ids> ids_;
  GpuSet gpus_;
  Symmetric<std::uint16_t> tokens_;
  Symmetric<std::int64_t> expert_ids_;
  Symmetric<std::uint8_t> staging_, receive_;
  Symmetric<int> counts_, counters_;
  Symmetric<std::uint8_t> rows_;
  Symmetric<float> scales_;
  Symmetric<int> source_token_;
  Symmetric<int2> source_range_;
  Symmetric<int> error_;
  std::vector<std::vector<std::uint16_t>> host_tokens_;
};

std::vector<Ids> random_ids_of_all(const Sizes& sizes, int tokens) {
  std::vector<Ids> all;
  for (int r = 0; r < sizes.ranks; ++r)
    all.push_back(random_ids(sizes, tokens, static_cast<std::uint32_t>(r) + 7));
  return all;
}

void check_random(const Sizes& sizes, int tokens) {
  Exchange exchange(sizes, random_ids_of_all(sizes, tokens));
  exchange.run(1);
  exchange.check_all();
  for (int r = 0; r < sizes.ranks; ++r) CHECK(exchange.error(r) == 0);
}

}  // namespace

TEST_CASE("LL dispatch: one rank sends every row to itself, in FP8 and in BF16") {
  if (!enough_gpus(1)) return;
  check_random({.experts = 8, .most_tokens = 5, .top_k = 3}, 5);
  check_random({.experts = 8, .most_tokens = 5, .top_k = 3, .format = RowFormat::bf16}, 5);
}

TEST_CASE("LL dispatch: every hidden size that has a kernel arrives whole") {
  if (!enough_gpus(1)) return;
  for (const int hidden : {2048, 2560, 4096, 5120, 7168, 8192})
    for (const RowFormat format : {RowFormat::fp8, RowFormat::bf16})
      check_random({.experts = 4, .most_tokens = 3, .hidden = hidden, .format = format}, 3);
}

TEST_CASE("LL dispatch: every row arrives once, from its source, between two GPUs") {
  if (!enough_gpus(2)) return;
  check_random({.ranks = 2, .experts = 6, .most_tokens = 9, .top_k = 1, .hidden = 2560}, 7);
  check_random({.ranks = 2, .experts = 16, .most_tokens = 150, .top_k = 4}, 150);
}

TEST_CASE("LL dispatch: three experts a CTA and 16 choices a token") {
  if (!enough_gpus(2)) return;
  check_random({.ranks = 2, .experts = 288, .most_tokens = 3, .top_k = 16, .hidden = 4096}, 3);
}

TEST_CASE("LL dispatch: every row arrives once, from its source, among four GPUs") {
  if (!enough_gpus(4)) return;
  check_random({.ranks = 4, .experts = 64, .most_tokens = 17, .top_k = 8}, 17);
  check_random({.ranks = 4, .experts = 12, .most_tokens = 5, .top_k = 2, .format = RowFormat::bf16},
               5);
}

TEST_CASE("LL dispatch: masked choices send nothing, and a rank without tokens still receives") {
  if (!enough_gpus(2)) return;
  const Sizes sizes = {.ranks = 2, .experts = 4, .most_tokens = 3, .top_k = 2};
  Exchange exchange(sizes, {{0, -1, -1, 3, -1, -1}, {}});
  exchange.run(1);
  exchange.check_all();
  CHECK(exchange.error(0) == 0);
}

TEST_CASE("LL dispatch: calls may follow each other, and generations may start over") {
  if (!enough_gpus(2)) return;
  const Sizes sizes = {.ranks = 2, .experts = 8, .most_tokens = 6, .top_k = 2};
  Exchange exchange(sizes, random_ids_of_all(sizes, 6));
  for (const int generation : {kMostGenerations - 1, kMostGenerations, 1, 2}) {
    exchange.run(generation);
    exchange.check_all();
  }
}

TEST_CASE("LL dispatch: two launches, send and receive, do what one does") {
  if (!enough_gpus(2)) return;
  const Sizes sizes = {.ranks = 2, .experts = 8, .most_tokens = 6, .top_k = 2};
  Exchange exchange(sizes, random_ids_of_all(sizes, 6));
  for (const int generation : {1, 2}) {
    exchange.run(generation, {LaunchHalf::send, LaunchHalf::receive});
    exchange.check_all();
  }
}

TEST_CASE("LL dispatch: an id that is no expert is reported and skipped, the others arrive") {
  if (!enough_gpus(1)) return;
  const Sizes sizes = {.experts = 4, .most_tokens = 4, .top_k = 2};
  constexpr std::int64_t kBeyondInt = (std::int64_t{1} << 32) + 1;  // its low half names expert 1
  for (const std::int64_t bad : {std::int64_t{4}, std::int64_t{-2}, kBeyondInt, -kBeyondInt}) {
    Exchange exchange(sizes, {{0, bad, 2, 1, bad, 3, -1, 0}});
    exchange.run(1);
    exchange.check_all();
    CHECK(exchange.error(0) == kExpertOutOfRange);
  }
}

TEST_CASE("LL dispatch: a token that repeats its expert cannot write past the buffer") {
  if (!enough_gpus(1)) return;
  // 2 tokens ask for 8 rows of expert 1, whose buffer holds T_max = 2.
  const Sizes sizes = {.experts = 4, .most_tokens = 2, .top_k = 4};
  Exchange exchange(sizes, {{1, 1, 1, 1, 1, 1, 1, 1}});
  exchange.run(1);
  CHECK(exchange.error(0) == kTooManyRows);
  CHECK(exchange.range(0, 1, 0).x == 2);
  CHECK(exchange.range(0, 0, 0).x == 0);
  CHECK(exchange.range(0, 2, 0).x == 0);
}

TEST_CASE("LL dispatch: a shape that the kernel cannot serve is refused") {
  if (!enough_gpus(1)) return;
  const Sizes sizes = {.experts = 4, .most_tokens = 4, .top_k = 2};
  Exchange exchange(sizes, random_ids_of_all(sizes, 2));
  const auto refuses = [&](auto change) {
    LowLatencyDispatch work = exchange.work(0, 1);
    change(work);
    CHECK_THROWS_AS(launch_low_latency_dispatch(work, RowFormat::fp8, LaunchHalf::both, nullptr),
                    CudaError);
  };
  refuses([](LowLatencyDispatch& w) { w.shape.hidden = 3000; });
  refuses([](LowLatencyDispatch& w) { w.shape.top_k = kMostTopK + 1; });
  refuses([](LowLatencyDispatch& w) { w.shape.top_k = 0; });
  refuses([](LowLatencyDispatch& w) { w.shape.token_count = 5; });
  refuses([](LowLatencyDispatch& w) { w.shape.rank = 1; });
  refuses([](LowLatencyDispatch& w) { w.shape.rank_count = 3; });
  refuses([](LowLatencyDispatch& w) { w.shape.expert_count = 0; });
  refuses([](LowLatencyDispatch& w) { w.shape.expert_count = 100'000; });
  refuses([](LowLatencyDispatch& w) { w.generation = 0; });
  refuses([](LowLatencyDispatch& w) { w.generation = kMostGenerations + 1; });
}
