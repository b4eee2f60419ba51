#include <cstddef>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/cuda_check.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/overlap/exchange_channel.hpp"
#include "kernels/overlap/fill_matrix.cuh"
#include "kernels/overlap/gemm.hpp"
#include "kernels/overlap/row_stamps.cuh"
#include "kernels/overlap/stream_copy.cuh"
#include "kernels/reference/exchange_rows_reference.hpp"
#include "kernels/reference/gemm_reference.hpp"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

constexpr std::int64_t kPairStride = 5000;  // vectors: more than one round of the copy's unrolling

// Stamped send buffers and poisoned receive buffers of some ranks.
struct ExchangeBuffers {
  explicit ExchangeBuffers(const GpuSet& gpus)
      : send(gpus, std::size_t(gpus.count()) * kPairStride),
        receive(gpus, std::size_t(gpus.count()) * kPairStride) {
    for (int rank = 0; rank < gpus.count(); ++rank) {
      cuda_check(cudaSetDevice(rank));
      launch_stamp_rows({send.on(rank).data(), rank, gpus.count(), kPairStride, kPairStride},
                        gpus.stream(rank));
    }
    gpus.synchronize();
    receive.fill(kPoisonByte);
  }
  void launch(ExchangeChannel& channel,
              int rank,
              int cta_count,
              std::int64_t vectors_per_pair,
              cudaStream_t stream,
              bool in_line = false) {
    ExchangeRows work = channel.next(rank, cta_count);
    work.send = send.on(rank).data();
    work.receive = receive.peers();
    work.pair_stride = kPairStride;
    work.vectors_per_pair = vectors_per_pair;
    work.in_line = in_line;
    cuda_check(cudaSetDevice(rank));
    launch_exchange_rows(work, stream);
  }

  Symmetric<uint4> send, receive;
};

bool is_expected(const std::vector<uint4>& found, const std::vector<RowStamp>& expected) {
  if (found.size() != expected.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (RowStamp{found[i].x, found[i].y, found[i].z, found[i].w} != expected[i]) return false;
  return true;
}

void check_exchanges(int rank_count) {
  const GpuSet gpus(rank_count);
  ExchangeBuffers buffers(gpus);
  ExchangeChannel channel(rank_count);
  for (const int cta_count : {1, 2, 7, 33, gpus.sm_count()})
    for (const std::int64_t vectors : {std::int64_t{1}, std::int64_t{1000}, kPairStride}) {
      CAPTURE(cta_count);
      CAPTURE(vectors);
      buffers.receive.fill(kPoisonByte);
      for (int rank = 0; rank < rank_count; ++rank)
        buffers.launch(channel, rank, cta_count, vectors, gpus.stream(rank), vectors == 1000);
      gpus.synchronize();
      for (int rank = 0; rank < rank_count; ++rank)
        CHECK(is_expected(buffers.receive.on(rank).download(),
                          exchanged_rows(rank, rank_count, kPairStride, vectors)));
    }
}

// Every matrix of a small GEMM on GPU 0.
struct GemmBuffers {
  explicit GemmBuffers(const GemmShape& shape, int gpu = 0)
      : a(gpu, std::size_t(shape.m * shape.k)),
        b(gpu, std::size_t(shape.n * shape.k)),
        c(gpu, std::size_t(shape.m * shape.n)) {
    c.fill(0xff);
    launch_fill_matrix(a.data(), shape.m * shape.k, 1, nullptr);
    launch_fill_matrix(b.data(), shape.n * shape.k, 2, nullptr);
    cuda_check(cudaDeviceSynchronize());
  }
  [[nodiscard]] GemmMatrices matrices() const { return {a.data(), b.data(), c.data()}; }

  DeviceArray<std::uint16_t> a, b, c;
};

}  // namespace

TEST_CASE("Exchange of rows: with one rank, every row arrives once at its place") {
  if (!enough_gpus(1)) return;
  check_exchanges(1);
}

TEST_CASE("Exchange of rows: between two ranks, every row arrives once at its place") {
  if (!enough_gpus(2)) return;
  check_exchanges(2);
}

TEST_CASE("Exchange of rows: between four ranks, every row arrives once at its place") {
  if (!enough_gpus(4)) return;
  check_exchanges(4);
}

TEST_CASE("Exchange of rows: it ends beside GEMMs that want every SM, on all ranks") {
  if (!enough_gpus(1)) return;
  const int rank_count = visible_gpu_count() >= 4 ? 4 : visible_gpu_count();
  const GpuSet gpus(rank_count);
  ExchangeBuffers buffers(gpus);
  ExchangeChannel channel(rank_count);
  constexpr GemmShape kShape{2048, 2048, 2048};
  std::vector<GemmBuffers> matrices;
  std::vector<Gemm> gemms;
  for (int rank = 0; rank < rank_count; ++rank) {
    matrices.emplace_back(kShape, rank);
    gemms.emplace_back(rank, kShape, 0);
    gemms.back().enqueue(matrices.back().matrices(), gpus.stream(rank));  // loads its code
  }
  gpus.synchronize();
  constexpr int kRounds = 20;
  for (int round = 0; round < kRounds; ++round)
    for (int rank = 0; rank < rank_count; ++rank) {
      const auto r = static_cast<std::size_t>(rank);
      gemms[r].enqueue(matrices[r].matrices(), gpus.stream(rank));
      buffers.launch(channel, rank, 24, kPairStride, gpus.side_stream(rank));
    }
  gpus.synchronize();
  for (int rank = 0; rank < rank_count; ++rank)
    CHECK(is_expected(buffers.receive.on(rank).download(),
                      exchanged_rows(rank, rank_count, kPairStride, kPairStride)));
}

TEST_CASE("Row stamps: the device's count of wrong rows finds one changed and one not written") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  DeviceArray<uint4> rows(0, kPairStride);
  DeviceArray<unsigned long long> wrong(0, 1);
  const RowStamps stamps{rows.data(), 0, 1, kPairStride, 4000};
  const auto count = [&] {
    wrong.fill(0);
    launch_count_wrong_rows(stamps, wrong.data(), gpus.stream(0));
    gpus.synchronize();
    return wrong.download().front();
  };
  rows.fill(kPoisonByte);
  CHECK(count() == 4000);
  launch_stamp_rows(stamps, gpus.stream(0));
  gpus.synchronize();
  CHECK(count() == 0);
  const std::vector<uint4> other = {uint4{1, 2, 3, 4}};
  rows.upload(other, 17);    // among the rows
  rows.upload(other, 4100);  // behind them, where poison should be
  CHECK(count() == 2);
}

TEST_CASE("GEMM: every element is its row times its column, on all SMs and on some") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  for (const int sm_target : {0, gpus.sm_count() - 4}) {
    constexpr GemmShape kShape{48, 64, 256};
    const GemmBuffers buffers(kShape);
    Gemm gemm(0, kShape, sm_target);
    gemm.enqueue(buffers.matrices(), gpus.stream(0));
    gpus.synchronize();
    const std::vector<std::uint16_t> products = buffers.c.download();
    for (std::int64_t row = 0; row < kShape.m; ++row)
      for (std::int64_t column = 0; column < kShape.n; ++column) {
        const auto found = static_cast<double>(
            float_of_bf16(products[static_cast<std::size_t>(row * kShape.n + column)]));
        const double expected = product_element(1, 2, kShape.k, row, column);
        CAPTURE(found);
        CAPTURE(expected);
        CHECK(is_product_element(found, expected, kShape.k));
      }
  }
}

TEST_CASE("Stream copy: it copies the whole buffer, says how much, and stops when it is told") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr std::int64_t kVectors = 8 * kCopyChunkVectors;
  constexpr int kCtas = 4;
  DeviceArray<uint4> source(0, kVectors);
  DeviceArray<uint4> target(0, kVectors);
  DeviceArray<CopyWords> words(0, 1);
  DeviceArray<unsigned long long> wrong(0, 1);
  words.fill(0);
  wrong.fill(0);
  target.fill(kPoisonByte);
  launch_stamp_rows({source.data(), 0, 1, kVectors, kVectors}, gpus.stream(0));
  gpus.synchronize();
  // Two chunks for each of four CTAs: the buffer, once.
  launch_stream_copy({source.data(), target.data(), kVectors, 2, words.data(), 1, kCtas},
                     gpus.stream(0));
  launch_count_wrong_rows({target.data(), 0, 1, kVectors, kVectors}, wrong.data(), gpus.stream(0));
  gpus.synchronize();
  CHECK(wrong.download().front() == 0);
  CHECK(words.download().front().moved == 16 * kVectors);

  // A million chunks would take seconds.
  constexpr std::int64_t kFar = 1'000'000;
  launch_stream_copy({source.data(), target.data(), kVectors, kFar, words.data(), 2, kCtas},
                     gpus.side_stream(0));
  launch_await_copy(words.data(), 2 * kCtas, gpus.stream(0));
  launch_stop_copy(words.data(), 2, gpus.stream(0));
  gpus.synchronize();
  const CopyWords after = words.download().front();
  CHECK(after.started == 2 * kCtas);
  CHECK(after.moved > 16 * kVectors);
  CHECK(after.moved < 16 * kCopyChunkVectors * kFar);
}
