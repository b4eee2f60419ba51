#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/cuda_check.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/ring_reduce.cuh"
#include "kernels/micro/ring_reuse.cuh"
#include "kernels/micro/row_sender.cuh"
#include "kernels/micro/stamped_rows.cuh"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

namespace {

constexpr int kCtas = 4;

// A ring with its buffers, for kCtas CTAs.
struct RingBench {
  RingBench(int tokens, int top_k, int row_bytes, int depth)
      : slots(0, std::size_t(tokens * top_k) * ring_slot_bytes(row_bytes)),
        expert_ids(0, std::size_t(tokens * top_k)),
        weights(0, std::size_t(tokens * top_k)),
        output(0, std::size_t(tokens * row_bytes / 2)),
        cycles(0, 2 * kCtas),
        wrong(0, 1),
        work{.slots = slots.data(),
             .expert_ids = expert_ids.data(),
             .weights = weights.data(),
             .output = output.data(),
             .loader_cycles = cycles.data(),
             .row_bytes = row_bytes,
             .token_count = tokens,
             .top_k = top_k,
             .depth = depth,
             .cta_count = kCtas} {
    launch_fill_ring_slots(work, gpus.stream(0));
    launch_fill_ring_choices(work, expert_ids.data(), weights.data(), gpus.stream(0));
  }

  // Channels that are not the weighted sum; `reduce`: or that nobody has written.
  [[nodiscard]] unsigned long long wrong_sums(CombineFence fence, bool reduce = true) {
    output.fill(0xff, gpus.stream(0));
    wrong.fill(0, gpus.stream(0));
    if (reduce) launch_ring_reduce(work, fence, gpus.stream(0));
    launch_count_wrong_sums(work, wrong.data(), gpus.stream(0));
    gpus.synchronize();
    return wrong.download().front();
  }

  GpuSet gpus{1};
  DeviceArray<std::uint8_t> slots;
  DeviceArray<std::int64_t> expert_ids;
  DeviceArray<float> weights;
  DeviceArray<std::uint16_t> output;
  DeviceArray<std::uint64_t> cycles;
  DeviceArray<unsigned long long> wrong;
  RingReduce work;
};

struct Stale {
  unsigned long long rows, vectors;
};

// Rows stamped with iteration 1, looked at by a kernel that expects `iteration`.
Stale stale_after(int iteration, CombineFence fence, StampCheck check, int delay_ns) {
  constexpr int kRowBytes = 2048, kLoads = 9;
  const GpuSet gpus(1);
  const std::size_t rows = std::size_t(kCtas * ring_groups(kRowBytes) * kLoads);
  DeviceArray<std::uint8_t> memory(0, rows * kRowBytes);
  DeviceArray<int> last_stale(0, rows);
  DeviceArray<unsigned long long> counts(0, 2);
  last_stale.fill(0);
  counts.fill(0);
  launch_stamp_rows({.rows = memory.data(),
                     .pitch_bytes = kRowBytes,
                     .row_bytes = kRowBytes,
                     .row_count = static_cast<int>(rows),
                     .iteration = 1},
                    gpus.stream(0));
  launch_ring_reuse({.rows = memory.data(),
                     .last_stale = last_stale.data(),
                     .stale_rows = counts.data(),
                     .stale_vectors = counts.data() + 1,
                     .iteration = iteration,
                     .row_bytes = kRowBytes,
                     .cta_count = kCtas,
                     .depth = 3,
                     .loads = kLoads,
                     .rounds = 5,
                     .delay_ns = delay_ns,
                     .slow_warps = delay_ns > 0 ? 1 : 0},
                    fence,
                    check,
                    gpus.stream(0));
  gpus.synchronize();
  const auto found = counts.download();
  return {found[0], found[1]};
}

unsigned long long wrong_after_send(int groups,
                                    int prefetch,
                                    StagePitch pitch,
                                    GroupSpread spread) {
  constexpr int kRowBytes = 5120, kRows = 3, kWarps = 5;  // 5120: blocks of 1 KB
  const GpuSet gpus(1);
  const std::size_t rows = std::size_t(groups * kWarps * kRows);
  const std::size_t slot_bytes = sender_slot_bytes(kRowBytes);
  DeviceArray<std::uint8_t> source(0, rows * kRowBytes), target(0, rows * slot_bytes);
  DeviceArray<std::uint64_t> cycles(0, std::size_t(groups * kWarps));
  DeviceArray<unsigned long long> wrong(0, 1);
  target.fill(0xff);
  wrong.fill(0);
  StampedRows stamped{.rows = source.data(),
                      .pitch_bytes = kRowBytes,
                      .row_bytes = kRowBytes,
                      .row_count = static_cast<int>(rows),
                      .iteration = 1};
  launch_stamp_rows(stamped, gpus.stream(0));
  launch_row_sender({.rows = source.data(),
                     .target = target.data(),
                     .warp_cycles = cycles.data(),
                     .row_bytes = kRowBytes,
                     .rows_per_warp = kRows,
                     .warps_per_group = kWarps,
                     .group_count = groups,
                     .cta_count = 7},
                    prefetch,
                    pitch,
                    spread,
                    gpus.stream(0));
  stamped.rows = target.data() + slot_bytes - kRowBytes;
  stamped.pitch_bytes = slot_bytes;
  launch_count_wrong_stamps(stamped, wrong.data(), gpus.stream(0));
  gpus.synchronize();
  const std::vector<std::uint64_t> spans = cycles.download();
  CHECK(std::ranges::all_of(spans, [](std::uint64_t span) { return span > 0; }));
  return wrong.download().front();
}

}  // namespace

TEST_CASE("ring reduce: every placement that orders reads and loads gives the weighted sums") {
  if (!enough_gpus(1)) return;
  // 21 tokens: 3 or 2 for each of 8 groups.
  RingBench bench(21, 8, 4096, 3);
  for (std::size_t index = 0; index < kCombineFences; ++index) {
    CAPTURE(index);
    const auto fence = static_cast<CombineFence>(index);
    const auto wrong = bench.wrong_sums(fence);
    if (closes_ring_edge(fence)) CHECK(wrong == 0);  // the others may be wrong, and sometimes are
  }
}

// Small enough for a sanitizer: two tokens of five rows, so that two stages are used again.
TEST_CASE("Small ring: without fences it runs to its end") {
  if (!enough_gpus(1)) return;
  (void)RingBench(2, 5, 2048, 3).wrong_sums(CombineFence::none);
}
TEST_CASE("Small ring: with a fence before each load its sums are right") {
  if (!enough_gpus(1)) return;
  CHECK(RingBench(2, 5, 2048, 3).wrong_sums(CombineFence::per_load) == 0);
}
TEST_CASE("Small ring: with a fence before each release its sums are right") {
  if (!enough_gpus(1)) return;
  CHECK(RingBench(2, 5, 2048, 3).wrong_sums(CombineFence::stage_release) == 0);
}

TEST_CASE("ring reduce: rings of every depth and rows of every length give the weighted sums") {
  if (!enough_gpus(1)) return;
  for (const int depth : {1, 2, 3, 6})
    for (const int row_bytes : {1024, 2048, 14336, 16384}) {
      if (!ring_fits(row_bytes, depth)) continue;
      CAPTURE(depth);
      CAPTURE(row_bytes);
      RingBench bench(9, 5, row_bytes, depth);
      CHECK(bench.wrong_sums(CombineFence::stage_release) == 0);
    }
}

TEST_CASE("ring reduce: the oracle sees every channel that nobody wrote") {
  if (!enough_gpus(1)) return;
  RingBench bench(3, 2, 2048, 3);
  CHECK(bench.wrong_sums(CombineFence::stage_release, false) == 3 * 1024);
}

TEST_CASE("ring reuse: with the fence no row is stale") {
  if (!enough_gpus(1)) return;
  for (const StampCheck check : {StampCheck::before_release, StampCheck::after_release})
    for (const int delay_ns : {0, 300}) {
      const Stale stale = stale_after(1, CombineFence::stage_release, check, delay_ns);
      CHECK(stale.rows == 0);
      CHECK(stale.vectors == 0);
    }
}

TEST_CASE("ring reuse: rows of another iteration are all stale, in every round") {
  if (!enough_gpus(1)) return;
  // 4 CTAs x 2 groups x 9 loads = 72 rows, 5 rounds, 128 vectors a row.
  const Stale stale = stale_after(2, CombineFence::none, StampCheck::after_release, 0);
  CHECK(stale.rows == 72 * 5);
  CHECK(stale.vectors == 72 * 5 * 128);
}

TEST_CASE("row sender: rows arrive whole from every warp of every group") {
  if (!enough_gpus(1)) return;
  for (const int groups : {1, 3, 7})
    for (const int prefetch : {1, 2})
      for (const StagePitch pitch : {StagePitch::packed, StagePitch::aligned})
        for (const GroupSpread spread : {GroupSpread::consecutive, GroupSpread::spread}) {
          CAPTURE(groups);
          CAPTURE(prefetch);
          CHECK(wrong_after_send(groups, prefetch, pitch, spread) == 0);
        }
}
