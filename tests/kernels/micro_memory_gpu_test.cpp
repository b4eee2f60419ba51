#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/gpu_set.hpp"
#include "kernels/micro/bulk_load.cuh"
#include "kernels/micro/bulk_store.cuh"
#include "kernels/micro/cast_and_scan.cuh"
#include "kernels/micro/fence_cost.cuh"
#include "kernels/micro/flag_ping_pong.cuh"
#include "kernels/micro/message_release.cuh"
#include "kernels/micro/peer_load.cuh"
#include "kernels/micro/peer_store.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/reference/cast_rows_reference.hpp"
#include "kernels/reference/stamp_reference.hpp"
#include "tests/kernels/gpu_tests.hpp"

namespace epsim::kernels {
namespace {

constexpr std::uint8_t kPoison = 0xa5;
constexpr std::uint32_t kStamp = 0x7e570000;

std::span<const std::uint32_t> words_of(const std::vector<uint4>& vectors) {
  return {&vectors.front().x, vectors.size() * 4};
}

DeviceArray<uint4> stamped(const GpuSet& gpus, int gpu, std::size_t vectors) {
  DeviceArray<uint4> array(gpu, vectors);
  launch_stamp_vectors({.target = array.data(), .vector_count = vectors, .stamp = kStamp},
                       gpus.stream(gpu));
  gpus.synchronize();
  return array;
}

// Vectors of `array` from `first` on that are not those of the stamp from `index` on.
std::size_t wrong_in(const DeviceArray<uint4>& array,
                     std::size_t first,
                     std::size_t count,
                     std::uint32_t index) {
  return wrong_vectors(words_of(array.download(first, count)), kStamp, index);
}
std::size_t touched_in(const DeviceArray<uint4>& array, std::size_t first, std::size_t count) {
  return touched_vectors(words_of(array.download(first, count)), kPoison);
}

}  // namespace

TEST_CASE("Flag ping-pong: a payload is never stale behind an ordered flag") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  Symmetric<int> words(gpus, 64), stale(gpus, 1);
  words.fill(0);
  stale.fill(0);
  int value = 0;
  for (const FlagSignal signal :
       {FlagSignal::release_acquire, FlagSignal::relaxed_fence, FlagSignal::reduction}) {
    FlagPingPong work{};
    for (int rank = 0; rank < 2; ++rank) {
      work = {.own = words.on(rank).data(),
              .peer = words.on(1 - rank).data(),
              .own_payload = words.on(rank).data() + 32,
              .peer_payload = words.on(1 - rank).data() + 32,
              .stale_count = stale.on(rank).data(),
              .sample_cycles = nullptr,
              .first_value = value,
              .sample_count = 2,
              .rounds_per_sample = 500,
              .poller_count = 3,
              .starts = rank == 0,
              .signal = signal};
      cuda_check(cudaSetDevice(rank));
      launch_flag_ping_pong(work, gpus.stream(rank));
    }
    gpus.synchronize();
    value = last_value(work);
    for (int rank = 0; rank < 2; ++rank) {
      CHECK(words.on(rank).download(0, 1).front() == value);
      CHECK(stale.on(rank).download().front() == 0);
    }
  }
}

TEST_CASE("Peer store: every block is on its target and on no other") {
  if (!enough_gpus(2)) return;
  const GpuSet gpus(2);
  for (const int unroll : {1, 4, 8}) {
    constexpr std::size_t kBlocks = 3 * 4 * 5;  // CTAs, warps, blocks a warp
    const std::size_t block = std::size_t{32} * static_cast<std::size_t>(unroll);
    Symmetric<uint4> targets(gpus, (kBlocks + 1) * block);
    targets.fill(kPoison);
    const PeerStore work{.targets = targets.peers(),
                         .target_count = 2,
                         .blocks_per_warp = 5,
                         .passes = 2,
                         .cta_count = 3,
                         .warps_per_cta = 4,
                         .unroll = unroll,
                         .stamp = kStamp};
    cuda_check(cudaSetDevice(0));
    launch_peer_store(work, gpus.stream(0));
    gpus.synchronize();
    for (int gpu = 0; gpu < 2; ++gpu) {
      std::size_t bad = touched_in(targets.on(gpu), kBlocks * block, block);
      for (std::size_t b = 0; b < kBlocks; ++b)
        bad +=
            (b / 5 + b % 5) % 2 == static_cast<std::size_t>(gpu)
                ? wrong_in(targets.on(gpu), b * block, block, static_cast<std::uint32_t>(b * block))
                : touched_in(targets.on(gpu), b * block, block);
      CHECK(bad == 0);
    }
  }
}

TEST_CASE("Bulk store: blocks arrive whole from aligned and from misaligned sources") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  for (const int pitch : {2048, 2064}) {
    constexpr std::size_t kBlocks = 2 * 8 * 6, kBlock = 2048 / 16;
    DeviceArray<uint4> target(0, (kBlocks + 1) * kBlock);
    target.fill(kPoison);
    BulkStore work{.targets = {},
                   .target_count = 1,
                   .blocks_per_warp = 6,
                   .cta_count = 2,
                   .warps_per_cta = 8,
                   .block_bytes = 2048,
                   .source_pitch = pitch,
                   .stamp = kStamp};
    work.targets.at[0] = target.data();
    launch_bulk_store(work, gpus.stream(0));
    gpus.synchronize();
    std::size_t bad = touched_in(target, kBlocks * kBlock, kBlock);
    for (std::size_t b = 0; b < kBlocks; ++b) bad += wrong_in(target, b * kBlock, kBlock, 0);
    CHECK(bad == 0);
  }
}

TEST_CASE("Peer load: every width and form copies all bytes and no more") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr std::size_t kVectors = 12345;  // no multiple of any grid
  const DeviceArray<uint4> source = stamped(gpus, 0, kVectors);
  DeviceArray<uint4> target(0, kVectors + 64);
  PeerLoad work{.source = source.data(),
                .target = target.data(),
                .bytes = source.bytes(),
                .form = LoadForm::strided,
                .width = 16,
                .cta_count = 5,
                .threads_per_cta = 96,
                .passes = 2};
  const auto copies_exactly = [&] {
    target.fill(kPoison);
    launch_peer_load(work, gpus.stream(0));
    gpus.synchronize();
    return wrong_in(target, 0, kVectors, 0) == 0 && touched_in(target, kVectors, 64) == 0;
  };
  for (const int width : {1, 4, 16}) {
    work.width = width;
    CHECK(copies_exactly());
  }
  work.form = LoadForm::byte_per_thread;
  work.width = 1;
  CHECK(copies_exactly());
}

TEST_CASE("Message release: slots hold exactly their messages and words count them") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr int kWarps = 4;
  constexpr std::size_t kSlots = std::size_t{kWarps} * kMessageSlots;
  const DeviceArray<uint4> source =
      stamped(gpus, 0, std::size_t{kMessageSources} * kMessageSlotVectors);
  DeviceArray<uint4> target(0, kSlots * kMessageSlotVectors);
  DeviceArray<int> counters(0, kMessageCounters), words(0, kWarps);
  DeviceArray<std::int64_t> cycles(0, kWarps * 10 * 3);
  // 464 vectors of 16 bytes: one whole trip of 256 and a guarded one.
  for (const int bytes : {512, 7424, kMostMessageBytes})
    for (const ReleaseKind kind : {ReleaseKind::add_gpu, ReleaseKind::store_sys}) {
      target.fill(kPoison);
      counters.fill(0);
      words.fill(0);
      launch_message_release({.target = target.data(),
                              .source = source.data(),
                              .slot_counters = counters.data(),
                              .release_words = words.data(),
                              .cycles = cycles.data(),
                              .message_bytes = bytes,
                              .message_count = 10,
                              .cta_count = 2,
                              .warps_per_cta = 2,
                              .kind = kind},
                             gpus.stream(0));
      gpus.synchronize();
      CHECK(words.download() == std::vector<int>(kWarps, 10));
      const std::size_t vectors = static_cast<std::size_t>(bytes) / 16;
      std::size_t bad = 0;
      for (std::size_t slot = 0; slot < kSlots; ++slot) {
        const int row = source_row(static_cast<int>(slot) / kMessageSlots,
                                   static_cast<int>(slot) % kMessageSlots);
        const std::size_t first = slot * kMessageSlotVectors;
        bad +=
            wrong_in(target, first, vectors, static_cast<std::uint32_t>(row * kMessageSlotVectors));
        if (vectors < kMessageSlotVectors)
          bad += touched_in(target, first + vectors, kMessageSlotVectors - vectors);
      }
      CHECK(bad == 0);
    }
}

TEST_CASE("Fence cost: the stores before a fence all arrive, whoever stores") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr std::size_t kWarpVectors = std::size_t{kMostFenceStores} * 32;
  DeviceArray<uint4> target(0, 4 * kWarpVectors), source(0, kFenceBulkBytes / 16);
  DeviceArray<std::int64_t> cycles(0, 4 * 5);
  source.fill(0);
  for (const FenceKind kind : {FenceKind::none,
                               FenceKind::acq_rel_sys,
                               FenceKind::sc_gpu,
                               FenceKind::proxy_async,
                               FenceKind::proxy_async_global,
                               FenceKind::proxy_async_shared})
    for (const bool neighbours : {false, true}) {
      target.fill(kPoison);
      cycles.fill(-1);
      launch_fence_cost({.target = target.data(),
                         .bulk_source = source.data(),
                         .fence_cycles = cycles.data(),
                         .kind = kind,
                         .fences = 2,
                         .sample_count = 5,
                         .cta_count = 2,
                         .warps_per_cta = 2,
                         .fencing_warps = 1,
                         .stores = 3,
                         .neighbours_store = neighbours,
                         .stamp = kStamp},
                        gpus.stream(0));
      gpus.synchronize();
      for (std::size_t warp = 0; warp < 4; ++warp) {
        const std::size_t first = warp * kWarpVectors;
        const std::size_t written = (warp % 2 == 1) == neighbours ? 3 * 32 : 0;
        if (written > 0)
          CHECK(wrong_in(target, first, written, static_cast<std::uint32_t>(first)) == 0);
        CHECK(touched_in(target, first + written, kWarpVectors - written) == 0);
      }
      // One fencing warp a CTA: two rows of five counts are written, the rest is not.
      const std::vector<std::int64_t> counts = cycles.download();
      CHECK(std::all_of(counts.begin(), counts.begin() + 10, [](auto c) { return c >= 0; }));
      CHECK(std::all_of(counts.begin() + 10, counts.end(), [](auto c) { return c == -1; }));
    }
}

TEST_CASE("Bulk load: every stage holds the block that was asked for") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr int kBlockBytes = 7168, kBlocks = 37;
  const DeviceArray<uint4> source = stamped(gpus, 0, std::size_t{kBlocks} * kBlockBytes / 16);
  DeviceArray<unsigned long long> right(0, 1);
  for (const int stages : {1, 2, 3, 6}) {
    right.fill(0);
    const BulkLoad work{.source = source.data(),
                        .first_block = 30,  // so that the walk wraps
                        .block_count = kBlocks,
                        .block_bytes = kBlockBytes,
                        .stages = stages,
                        .loads_per_cta = 20,
                        .cta_count = 5,
                        .load_cycles = nullptr,
                        .right = right.data(),
                        .stamp = kStamp};
    launch_bulk_load(work, gpus.stream(0));
    gpus.synchronize();
    CHECK(static_cast<std::int64_t>(right.download().front()) == bytes_moved(work) / 16);
  }
}

TEST_CASE("Cast: rows become what the reference makes of them, bit for bit") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  constexpr std::size_t kRows = 6, kHidden = 2048;
  std::vector<std::uint16_t> bits;
  for (std::uint32_t i = 0; i < kRows * kHidden; ++i) {
    const std::uint32_t mixed = i * 2654435761U;
    // Exponents 2^-9 to 2^2, any sign and mantissa; the third row is all zeros.
    bits.push_back(i / kHidden == 2 ? std::uint16_t{0}
                                    : static_cast<std::uint16_t>((mixed & 0x8000U) |
                                                                 (118 + (mixed >> 20) % 12) << 7 |
                                                                 (mixed >> 8 & 0x7fU)));
  }
  DeviceArray<std::uint16_t> source(0, bits.size());
  source.upload(bits);
  DeviceArray<std::uint8_t> values(0, bits.size());
  DeviceArray<float> scales(0, bits.size() / kCastGroup);
  DeviceArray<std::int64_t> cycles(0, kRows);
  values.fill(0xff);
  scales.fill(0xff);
  launch_cast_rows({.source = reinterpret_cast<const __nv_bfloat16*>(source.data()),
                    .values = values.data(),
                    .scales = scales.data(),
                    .token_cycles = cycles.data(),
                    .row_count = kRows,
                    .hidden = kHidden,
                    .tokens_per_cta = 3,
                    .cta_count = 2},
                   gpus.stream(0));
  gpus.synchronize();
  const CastReference expected = cast_reference(bits);
  CHECK(values.download() == expected.values);
  CHECK(scales.download() == expected.scales);
}

TEST_CASE("Scan: a warp counts the choices of two experts, whatever the number of choices") {
  if (!enough_gpus(1)) return;
  const GpuSet gpus(1);
  for (const std::size_t count : {std::size_t{1}, std::size_t{255}, std::size_t{1000}}) {
    std::vector<int> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<int>(i * i % 7));
    DeviceArray<int> choices(0, count), counts(0, kScannedExperts);
    DeviceArray<std::int64_t> cycles(0, 3);
    choices.upload(ids);
    counts.fill(0xff);
    launch_scan_choices({.choices = choices.data(),
                         .counts = counts.data(),
                         .scan_cycles = cycles.data(),
                         .choice_count = static_cast<int>(count),
                         .first_expert = 1,
                         .scan_count = 3},
                        gpus.stream(0));
    gpus.synchronize();
    const std::vector<int> found = counts.download();
    CHECK(found[0] == std::ranges::count(ids, 1));
    CHECK(found[1] == std::ranges::count(ids, 2));
  }
}

}  // namespace epsim::kernels
