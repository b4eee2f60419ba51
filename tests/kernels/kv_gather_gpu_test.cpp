#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <cuda_runtime.h>

#include <doctest/doctest.h>

#include "kernels/gather/kv_gather.cuh"
#include "kernels/gather/slot_read.cuh"
#include "kernels/gather/stream_filler.cuh"
#include "kernels/gpu_set.hpp"
#include "kernels/reference/kv_gather_reference.hpp"
#include "tests/kernels/gpu_tests.hpp"

using epsim::enough_gpus;
using epsim::kernels::cuda_check;
using epsim::kernels::DeviceArray;
using epsim::kernels::GpuSet;
using epsim::kernels::KvGather;
using epsim::kernels::PayloadVector;
using epsim::kernels::PinnedArray;

namespace {

constexpr std::size_t kRowsPerRegion = 3;

// A cache of `regions` regions on GPU 0 and one slot, followed by a guard of one vector.
struct Cache {
  std::size_t regions, row_vectors;
  std::vector<PayloadVector> source;
  std::vector<int> row_ids;
  DeviceArray<PayloadVector> source_on_gpu, slot;
  DeviceArray<const uint4*> bases;
  DeviceArray<int> row_ids_on_gpu;
  DeviceArray<unsigned int> tiles_done{0, 1};
  PinnedArray<int> done_flag{1};

  Cache(std::size_t region_count, std::size_t vectors_per_row)
      : regions(region_count),
        row_vectors(vectors_per_row),
        source(epsim::kernels::kv_source(regions, kRowsPerRegion * row_vectors)),
        source_on_gpu(0, source.size()),
        slot(0, regions * row_vectors + 1),
        bases(0, regions),
        row_ids_on_gpu(0, regions) {
    std::vector<const uint4*> pointers;
    for (std::size_t region = 0; region < regions; ++region) {
      pointers.push_back(reinterpret_cast<const uint4*>(source_on_gpu.data() +
                                                        region * kRowsPerRegion * row_vectors));
      row_ids.push_back(static_cast<int>((2 * region + 1) % kRowsPerRegion));
    }
    source_on_gpu.upload(source);
    bases.upload(pointers);
    row_ids_on_gpu.upload(row_ids);
    tiles_done.fill(0);
    slot.fill(0xff);
  }

  KvGather gather(int generation) const {
    return {.region_bases = bases.data(),
            .row_ids = row_ids_on_gpu.data(),
            .slot = reinterpret_cast<uint4*>(slot.data()),
            .region_count = static_cast<int>(regions),
            .vectors_per_row = static_cast<int>(row_vectors),
            .generation = generation,
            .done_flag = nullptr,
            .tiles_done = nullptr};
  }
  KvGather gather_with_flag(int generation) const {
    KvGather work = gather(generation);
    work.done_flag = done_flag.data();
    work.tiles_done = tiles_done.data();
    return work;
  }
  std::vector<PayloadVector> expected(int generation) const {
    return epsim::kernels::kv_gather_reference({.source = source,
                                                .region_vectors = kRowsPerRegion * row_vectors,
                                                .row_ids = row_ids,
                                                .vectors_per_row = row_vectors,
                                                .generation = generation});
  }
};

int stale_rows_seen_by(int gpu, const GpuSet& gpus, const Cache& cache, int generation) {
  DeviceArray<int> stale_rows(gpu, 1);
  stale_rows.fill(0);
  epsim::kernels::launch_slot_read({.slot = reinterpret_cast<const uint4*>(cache.slot.data()),
                                    .row_count = static_cast<int>(cache.regions),
                                    .vectors_per_row = static_cast<int>(cache.row_vectors),
                                    .generation = generation,
                                    .stale_rows = stale_rows.data()},
                                   gpus.stream(gpu));
  gpus.synchronize();
  return stale_rows.download().at(0);
}

}  // namespace

TEST_CASE(
    "KV gather: every row lands in its region's place, and nothing past the slot is written") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  // Rows of one vector, of a warp, of no whole warp, and of two tiles and a bit (256 a tile).
  for (const std::size_t row_vectors : {1u, 32u, 45u, 517u}) {
    Cache cache(5, row_vectors);
    epsim::kernels::launch_kv_gather(cache.gather(3), gpus.stream(0));
    gpus.synchronize();
    std::vector<PayloadVector> slot = cache.slot.download();
    CHECK(slot.back() == PayloadVector{~0u, ~0u, ~0u, ~0u});
    slot.pop_back();
    CHECK(slot == cache.expected(3));
  }
}

TEST_CASE("KV gather: the flag is the request's number after each of several gathers") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  const Cache cache(7, 300);
  for (const int generation : {1, 2, 3}) {
    epsim::kernels::launch_kv_gather(cache.gather_with_flag(generation), gpus.stream(0));
    gpus.synchronize();
    CHECK(cache.done_flag[0] == generation);
    CHECK(cache.tiles_done.download().at(0) == 0);
  }
}

TEST_CASE("KV gather: a copy that is posted when the flag is seen has no stale row") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  const Cache cache(64, 256);
  const std::size_t vectors = cache.regions * cache.row_vectors;
  const PinnedArray<PayloadVector> landing(vectors);
  std::atomic_ref<int> flag(cache.done_flag[0]);
  for (int generation = 1; generation <= 20; ++generation) {
    epsim::kernels::launch_stream_filler({.duration_ns = 20'000}, gpus.stream(0));
    epsim::kernels::launch_kv_gather(cache.gather_with_flag(generation), gpus.stream(0));
    const auto begin = std::chrono::steady_clock::now();
    while (flag.load(std::memory_order_acquire) != generation)
      if (std::chrono::steady_clock::now() - begin > std::chrono::seconds(1)) break;
    REQUIRE(flag.load() == generation);
    cuda_check(cudaMemcpyAsync(landing.data(),
                               cache.slot.data(),
                               vectors * sizeof(PayloadVector),
                               cudaMemcpyDeviceToHost,
                               gpus.side_stream(0)));
    cuda_check(cudaStreamSynchronize(gpus.side_stream(0)));
    CHECK(epsim::kernels::stale_row_count(std::span<const PayloadVector>(landing.data(), vectors),
                                          cache.row_vectors,
                                          generation) == 0);
  }
  gpus.synchronize();
}

TEST_CASE("Slot read: counts the rows in which a vector has another number, here and at a peer") {
  for (const int reader : {0, 1}) {
    if (!enough_gpus(reader + 1)) return;
    const GpuSet gpus(reader + 1);
    Cache cache(6, 300);
    cuda_check(cudaSetDevice(0));
    epsim::kernels::launch_kv_gather(cache.gather(4), gpus.stream(0));
    gpus.synchronize();
    // Row 1 gets two old vectors, row 5 its last one: two stale rows.
    const std::vector<PayloadVector> old(2, PayloadVector{0, 0, 0, 3});
    cache.slot.upload(old, 1 * 300 + 10);
    cache.slot.upload(std::span(old).first(1), 5 * 300 + 299);
    cuda_check(cudaSetDevice(reader));
    CHECK(stale_rows_seen_by(reader, gpus, cache, 4) == 2);
    CHECK(stale_rows_seen_by(reader, gpus, cache, 5) == 6);
  }
}

TEST_CASE("Stream filler: holds its stream for the time it was given") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i)
    epsim::kernels::launch_stream_filler({.duration_ns = 500'000}, gpus.stream(0));
  gpus.synchronize();
  // Four of 500 us; ticks of the GPU's clock, up to 1 us each, may be missing.
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::microseconds(1990));
}
