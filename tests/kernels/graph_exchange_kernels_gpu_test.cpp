#include <cstddef>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/device_array.hpp"
#include "kernels/graph/all_to_all.cuh"
#include "kernels/graph/place_rows.cuh"
#include "kernels/graph/plan_rows.cuh"
#include "sim/base/rng.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

struct Plan {
  std::vector<int> order, counts, offsets;
  bool operator==(const Plan&) const = default;
};

// What a stable sort by target gives; keys that no rank has are left out.
Plan expected_plan(const std::vector<int>& keys, int keys_per_rank, int rank_count) {
  Plan plan{.order = {}, .counts = {}, .offsets = {0}};
  for (int rank = 0; rank < rank_count; ++rank) {
    for (std::size_t row = 0; row < keys.size(); ++row)
      if (keys[row] >= 0 && keys[row] / keys_per_rank == rank)
        plan.order.push_back(static_cast<int>(row));
    plan.counts.push_back(static_cast<int>(plan.order.size()) - plan.offsets.back());
    plan.offsets.push_back(static_cast<int>(plan.order.size()));
  }
  return plan;
}

Plan plan_on_gpu(const std::vector<int>& keys, int keys_per_rank, int rank_count, int& error) {
  const auto ranks = static_cast<std::size_t>(rank_count);
  DeviceArray<int> device_keys(0, keys.size()), order(0, keys.size()), counts(0, ranks);
  DeviceArray<int> offsets(0, ranks + 1);
  DeviceArray<ExchangeStatus> status(0, 1);
  status.fill(0);
  order.fill(0xff);
  device_keys.upload(keys);
  cuda_check(cudaDeviceSynchronize());
  PlanRows work{};
  work.keys = device_keys.data();
  work.key_stride = 1;
  work.keys_per_rank = keys_per_rank;
  work.most_rows = static_cast<int>(keys.size());
  work.rank_count = rank_count;
  work.error = kExpertOutOfRange;
  work.order = order.data();
  work.counts = counts.data();
  work.offsets = offsets.data();
  work.status = status.data();
  launch_plan_rows(work, nullptr);
  cuda_check(cudaDeviceSynchronize());
  error = status.download().front().error;
  Plan plan{order.download(), counts.download(), offsets.download()};
  plan.order.resize(static_cast<std::size_t>(plan.offsets.back()));
  return plan;
}

struct Places {
  std::vector<int> send_counts, receive_offsets, receive_counts;
  ExchangeStatus status;
};

Places place_on_gpu(const std::vector<int>& matrix,
                    int rank,
                    int rank_count,
                    int most_rows,
                    int capacity,
                    bool may_drop) {
  const auto ranks = static_cast<std::size_t>(rank_count);
  DeviceArray<int> device_matrix(0, matrix.size()), send_counts(0, ranks);
  DeviceArray<int> receive_offsets(0, ranks), receive_counts(0, ranks + 1);
  DeviceArray<ExchangeStatus> status(0, 1);
  status.fill(0);
  device_matrix.upload(matrix);
  cuda_check(cudaDeviceSynchronize());
  launch_place_rows({.matrix = device_matrix.data(),
                     .rank = rank,
                     .rank_count = rank_count,
                     .most_rows = most_rows,
                     .capacity = capacity,
                     .may_drop = may_drop,
                     .send_counts = send_counts.data(),
                     .receive_offsets = receive_offsets.data(),
                     .receive_counts = receive_counts.data(),
                     .status = status.data()},
                    nullptr);
  cuda_check(cudaDeviceSynchronize());
  return {send_counts.download(),
          receive_offsets.download(),
          receive_counts.download(),
          status.download().front()};
}

}  // namespace

TEST_CASE("Plan of rows: the order is that of a stable sort by target") {
  if (!enough_gpus(1)) return;
  Rng rng(11);
  for (const int rank_count : {1, 2, 5, kMostRanks})
    for (const std::size_t rows : {1U, 31U, 33U, 1024U, 5000U}) {
      CAPTURE(rank_count);
      CAPTURE(rows);
      const std::uint64_t keys_per_rank = 3;
      std::vector<int> keys(rows);
      for (int& key : keys)  // one key in seven is masked
        key = rng.below(7) == 0
                  ? -1
                  : static_cast<int>(rng.below(keys_per_rank * std::uint64_t(rank_count)));
      int error = -1;
      const Plan plan = plan_on_gpu(keys, keys_per_rank, rank_count, error);
      CHECK(plan == expected_plan(keys, keys_per_rank, rank_count));
      CHECK(error == 0);
    }
}

TEST_CASE("Plan of rows: a key that no rank has sets the error bit and takes no place") {
  if (!enough_gpus(1)) return;
  int error = 0;
  // Two ranks of two keys: 4 and -5 are nobody's.
  const Plan plan = plan_on_gpu({3, 4, 0, -5, 2}, 2, 2, error);
  CHECK(plan == Plan{.order = {2, 0, 4}, .counts = {1, 2}, .offsets = {0, 1, 3}});
  CHECK(error == kExpertOutOfRange);
}

TEST_CASE("Places of rows: sources lie one behind the other, cut at the capacity") {
  if (!enough_gpus(1)) return;
  // [source][target]. Rank 1's rows begin at 3 on rank 0 and at 1 on rank 1; with a capacity of 4,
  // one of its two rows fits on rank 0 and all three fit on rank 1. Rank 1 is sent 1 + 3 + 2 = 6
  // rows and keeps 1 + 3 + 0, so two are dropped.
  const std::vector<int> matrix{3,
                                1,
                                0,  //
                                2,
                                3,
                                0,  //
                                0,
                                2,
                                9};
  const Places places = place_on_gpu(matrix, 1, 3, 100, 4, true);
  CHECK(places.receive_offsets == std::vector<int>{3, 1, 0});
  CHECK(places.send_counts == std::vector<int>{1, 3, 0});
  CHECK(places.receive_counts == std::vector<int>{1, 3, 0, 4});
  CHECK(places.status.error == 0);
  CHECK(places.status.dropped_rows == 2);
}

TEST_CASE("Places of rows: more rows than a buffer holds are an error where none may be dropped") {
  if (!enough_gpus(1)) return;
  const Places places = place_on_gpu({3, 0, 2, 0}, 0, 2, 100, 4, false);
  CHECK(places.receive_counts == std::vector<int>{3, 1, 4});
  CHECK(places.status.error == kRowsExceedBuffer);
}

TEST_CASE("Places of rows: a count that no rank can have is an error and moves nothing") {
  if (!enough_gpus(1)) return;
  // Rank 0 says 101 of at most 100 for rank 0, rank 1 says -1 for rank 1.
  const Places places = place_on_gpu({101, 5, 7, -1}, 0, 2, 100, 1000, true);
  CHECK(places.send_counts == std::vector<int>{0, 5});
  CHECK(places.receive_offsets == std::vector<int>{0, 0});
  CHECK(places.receive_counts == std::vector<int>{0, 7, 7});
  CHECK(places.status.error == kCountOutOfRange);
}

TEST_CASE("All-to-all: the byte kernel and the vector kernel write the same bytes and no others") {
  if (!enough_gpus(1)) return;
  // Three targets, all on one GPU. The second gets nothing; the third's rows begin after a gap, as
  // when rows were cut at a capacity.
  constexpr int kRanks = 3, kMostRows = 50, kBufferRows = 80;
  const std::vector<int> counts{37, 0, 11}, from{0, 37, 39}, to{5, 80, 69};
  for (const int row_bytes : {16, 528, 4096, 14336}) {
    CAPTURE(row_bytes);
    const auto size = static_cast<std::size_t>(row_bytes);
    DeviceArray<int> device_counts(0, kRanks), device_from(0, kRanks), device_to(0, kRanks);
    DeviceArray<std::uint8_t> source(0, kMostRows * size), target(0, kRanks * kBufferRows * size);
    std::vector<std::uint8_t> rows(source.size());
    Rng rng(23);
    for (std::uint8_t& byte : rows) byte = static_cast<std::uint8_t>(rng.below(256));
    source.upload(rows);
    device_counts.upload(counts);
    device_from.upload(from);
    device_to.upload(to);
    std::vector<std::uint8_t> expected(target.size(), 0xa5);
    for (std::size_t rank = 0; rank < kRanks; ++rank)
      for (std::size_t i = 0; i < static_cast<std::size_t>(counts[rank]) * size; ++i)
        expected[(rank * kBufferRows + static_cast<std::size_t>(to[rank])) * size + i] =
            rows[static_cast<std::size_t>(from[rank]) * size + i];
    AllToAll work{};
    work.source = source.data();
    for (std::size_t rank = 0; rank < kRanks; ++rank)
      work.targets.at[rank] = target.data() + rank * kBufferRows * size;
    work.send_offsets = device_from.data();
    work.send_counts = device_counts.data();
    work.receive_offsets = device_to.data();
    work.rank = 1;
    work.rank_count = kRanks;
    work.row_bytes = row_bytes;
    work.most_rows = kMostRows;

    target.fill(0xa5);
    launch_all_to_all_bytes(work, nullptr);
    cuda_check(cudaDeviceSynchronize());
    CHECK((target.download() == expected));
    for (const int ctas : {1, 7, 132}) {
      CAPTURE(ctas);
      target.fill(0xa5);
      launch_all_to_all_vectors(work, ctas, nullptr);
      cuda_check(cudaDeviceSynchronize());
      CHECK((target.download() == expected));
    }
  }
}
