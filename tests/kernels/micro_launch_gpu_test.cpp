#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/gpu_set.hpp"
#include "kernels/micro/barrier_loops.cuh"
#include "kernels/micro/empty_kernel.cuh"
#include "kernels/micro/memop_batch.hpp"
#include "kernels/micro/rank_barrier_loops.cuh"
#include "kernels/micro/signal_kernel.cuh"
#include "kernels/micro/word_loops.cuh"
#include "tests/kernels/gpu_tests.hpp"

using namespace epsim;
using namespace epsim::kernels;

TEST_CASE("Empty kernel: in every form of launch, each CTA runs once and stamps in order") {
  if (!enough_gpus(1)) return;
  GpuSet gpus(1);
  const int ctas = gpus.sm_count() / 2 * 2;
  for (EmptyLaunch form : {EmptyLaunch{},
                           EmptyLaunch{.cta_count = ctas, .thread_count = 1024},
                           EmptyLaunch{.cta_count = ctas, .cooperative = true},
                           EmptyLaunch{.cta_count = ctas, .cluster_size = 2},
                           EmptyLaunch{.cta_count = ctas, .shared_bytes = 100 * 1024}}) {
    CAPTURE(form.thread_count);
    CAPTURE(form.cluster_size);
    DeviceArray<CtaStamp> stamps(0, static_cast<std::size_t>(form.cta_count));
    stamps.fill(0);
    form.stamps = stamps.data();
    prepare_empty(form);
    launch_empty(form, gpus.stream(0));
    gpus.synchronize();
    for (const CtaStamp& stamp : stamps.download()) {
      CHECK(stamp.first > 0);
      CHECK(stamp.last >= stamp.first);
    }
  }
}

TEST_CASE("MemopBatch: a batch writes each of its words and no other") {
  if (!enough_gpus(1)) return;
  GpuSet gpus(1);
  DeviceArray<int> words(0, 8);
  words.fill(0xff);
  MemopBatch batch;
  batch.write(words.data() + 1, 7).write(words.data() + 4, 9);
  CHECK(batch.size() == 2);
  batch.enqueue(gpus.stream(0));
  gpus.synchronize();
  CHECK(words.download() == std::vector<int>{-1, 7, -1, -1, 9, -1, -1, -1});
}

TEST_CASE("MemopBatch: a stream waits until another stream's kernel has set the word") {
  if (!enough_gpus(1)) return;
  GpuSet gpus(1);
  DeviceArray<int> word(0, 1);
  DeviceArray<std::uint64_t> stamps(0, 2);
  word.fill(0);
  stamps.fill(0);
  // The writer is queued first and needs two milliseconds: the wait is there long before.
  launch_delayed_signal(
      {.word = word.data(), .value = 5, .delay_ns = 2'000'000, .sent_at = stamps.data()},
      gpus.stream(0));
  MemopBatch{}.wait(word.data(), 5).enqueue(gpus.side_stream(0));
  launch_arrival({.began_at = stamps.data() + 1}, gpus.side_stream(0));
  gpus.synchronize();
  const std::vector<std::uint64_t> when = stamps.download();
  CHECK(when[0] > 0);
  CHECK(when[1] >= when[0]);
  CHECK(word.download().front() == 5);
}

TEST_CASE("Barriers within a GPU: nobody passes before its neighbour has come") {
  if (!enough_gpus(1)) return;
  GpuSet gpus(1);
  struct Case {
    BarrierKind kind;
    int ctas, threads;
  };
  for (const Case& c : {Case{BarrierKind::grid, 1, 64},
                        Case{BarrierKind::grid, gpus.sm_count(), 1024},
                        Case{BarrierKind::named, 1, 32},
                        Case{BarrierKind::named, 1, 1024},
                        Case{BarrierKind::mbarrier, 1, 32},
                        Case{BarrierKind::mbarrier, 1, 1024}}) {
    CAPTURE(static_cast<int>(c.kind));
    CAPTURE(c.threads);
    DeviceArray<int> stamps(0, 1024), misses(0, 1);
    DeviceArray<std::uint64_t> cycles(0, 5);
    stamps.fill(0);
    misses.fill(0);
    cycles.fill(0);
    launch_barrier_loops({.kind = c.kind,
                          .cta_count = c.ctas,
                          .thread_count = c.threads,
                          .sample_count = 5,
                          .repeat_count = 33,
                          .cycles = cycles.data(),
                          .stamps = stamps.data(),
                          .misses = misses.data()},
                         gpus.stream(0));
    gpus.synchronize();
    CHECK(misses.download().front() == 0);
    CHECK(stamps.download().front() == 5 * 33);
    for (const std::uint64_t sample : cycles.download()) CHECK(sample > 0);
  }
}

TEST_CASE("Words of a GPU: no addition is lost, and two CTAs answer to the last value") {
  if (!enough_gpus(1)) return;
  GpuSet gpus(1);
  DeviceArray<int> words(0, 64);
  DeviceArray<std::uint64_t> cycles(0, 10 * 16);
  words.fill(0);
  launch_atomic_loops({.cta_count = 16,
                       .word_stride = 0,
                       .sample_count = 10,
                       .repeat_count = 7,
                       .words = words.data(),
                       .cycles = cycles.data()},
                      gpus.stream(0));
  gpus.synchronize();
  CHECK(words.download().front() == 16 * 10 * 7);

  int first_value = 1;
  words.fill(0);
  for (const FlagScope scope : {FlagScope::gpu, FlagScope::sys}) {
    launch_local_ping_pong({.scope = scope,
                            .partner = 3,
                            .sample_count = 10,
                            .repeat_count = 7,
                            .first_value = first_value,
                            .words = words.data(),
                            .cycles = cycles.data()},
                           gpus.stream(0));
    gpus.synchronize();
    first_value += 10 * 7;
    CHECK(words.download()[0] == first_value - 1);
    CHECK(words.download()[kPingPongStride] == first_value - 1);
  }
}

namespace {

// Launch after launch on the same words, as a library would; misses and words add up over all.
void meet_in_launches(GpuSet& gpus, RankBarrierForm form, int repeat_count) {
  constexpr int kLaunches = 5;
  const int ranks = gpus.count();
  Symmetric<int> words(gpus, std::size_t{kMostRanks} * kRankBarrierSlotInts);
  Symmetric<int> stamps(gpus, kMostRanks), misses(gpus, 1);
  Symmetric<std::uint64_t> cycles(gpus, 2);
  words.fill(0);
  misses.fill(0);
  for (int launch = 0; launch < kLaunches; ++launch) {
    stamps.fill(0);
    gpus.synchronize();
    // The first round has no barriers: no rank waits while another still loads the kernel.
    for (const int samples : {0, 2})
      for (int rank = 0; rank < ranks; ++rank) {
        cuda_check(cudaSetDevice(rank));
        launch_rank_barrier_loops({.form = form,
                                   .rank = rank,
                                   .rank_count = ranks,
                                   .sample_count = samples,
                                   .repeat_count = repeat_count,
                                   .first_use = launch * 2 * repeat_count,
                                   .words = words.peers(),
                                   .cycles = cycles.on(rank).data(),
                                   .stamps = stamps.peers(),
                                   .misses = misses.on(rank).data()},
                                  gpus.stream(rank));
      }
    gpus.synchronize();
  }
  for (int rank = 0; rank < ranks; ++rank) {
    CAPTURE(rank);
    if (form != RankBarrierForm::meeting) CHECK(misses.on(rank).download().front() == 0);
    const std::vector<int> left = words.on(rank).download();
    // 5 * 2 * repeat_count uses: with 3 repeats, 15 of each word of the sign form, so the last one
    // rose to the number of ranks. Slots of pairs are back at zero after every use.
    const int expected = form == RankBarrierForm::sign ? 2 * ranks : 0;
    CHECK(std::accumulate(left.begin(), left.end(), 0) == expected);
  }
}

}  // namespace

TEST_CASE("Barriers of ranks: all forms hold, launch after launch on the words they left") {
  if (!enough_gpus(2)) return;
  GpuSet gpus(visible_gpu_count());
  for (const RankBarrierForm form :
       {RankBarrierForm::meeting, RankBarrierForm::meeting_with_fence, RankBarrierForm::sign}) {
    CAPTURE(static_cast<int>(form));
    meet_in_launches(gpus, form, 3);
  }
}
