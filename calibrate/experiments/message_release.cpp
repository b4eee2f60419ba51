// M7: what a message of a dispatch costs its sender: the slot, the copy, and the release that waits
// for the copy's stores.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cta_count.hpp"
#include "calibrate/experiments/cycle_samples.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/message_release.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/reference/stamp_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim::message_release {
namespace {

using kernels::kMessageSlots;
using kernels::kMessageSlotVectors;
using kernels::kMostMessageWarps;
using kernels::MessageRelease;
using kernels::ReleaseKind;

constexpr int kParts = 3;  // slot atomic, copy, release
constexpr int kCheckedMessages = 2 * kMessageSlots;
constexpr std::uint8_t kPoison = 0xa5;
constexpr std::uint32_t kStamp = 0x3e550000;

struct State {
  explicit State(Lab& in)
      : lab(in),
        gpu_count(std::min(2, in.gpu_count())),
        most_warps(static_cast<std::size_t>(in.gpus().sm_count()) * kMostMessageWarps),
        targets(gpu_count, most_warps * kMessageSlots * kMessageSlotVectors),
        words(gpu_count, most_warps),
        source(0, std::size_t{kernels::kMessageSources} * kMessageSlotVectors),
        counters(0, kernels::kMessageCounters),
        cycles(0, most_warps * (kWarmups + kSamples) * kParts),
        cycles_per_ns(in.cycles_per_ns()) {
    kernels::cuda_check(cudaSetDevice(0));
    kernels::launch_stamp_vectors(
        {.target = source.data(), .vector_count = source.size(), .stamp = kStamp},
        lab.gpus().stream(0));
    lab.gpus().synchronize();
  }

  Lab& lab;
  int gpu_count;
  std::size_t most_warps;
  kernels::Symmetric<uint4> targets;
  kernels::Symmetric<int> words;
  kernels::DeviceArray<uint4> source;
  kernels::DeviceArray<int> counters;
  kernels::DeviceArray<std::int64_t> cycles;
  double cycles_per_ns;
};

int target_gpu(const Point& point) {
  return point.text("target") == "peer" ? 1 : 0;
}

MessageRelease work_of(State& state, const Point& point, int messages) {
  const int gpu = target_gpu(point);
  const bool adds = point.text("release") == "add_gpu";
  check(point.integer("warps") <= kMostMessageWarps, "the buffers have room for every warp");
  return {.target = state.targets.on(gpu).data(),
          .source = state.source.data(),
          .slot_counters = state.counters.data(),
          // The counter of a dispatch is the sender's own; its flag is the receiver's.
          .release_words = state.words.on(adds ? 0 : gpu).data(),
          .cycles = state.cycles.data(),
          .message_bytes = static_cast<int>(point.integer("message_bytes")),
          .message_count = messages,
          .cta_count = cta_count(point, state.lab),
          .warps_per_cta = static_cast<int>(point.integer("warps")),
          .kind = adds ? ReleaseKind::add_gpu : ReleaseKind::store_sys};
}

void run(State& state, const MessageRelease& work) {
  state.counters.fill(0);  // so that they never turn negative
  state.words.fill(0);
  kernels::cuda_check(cudaSetDevice(0));
  launch_message_release(work, state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
}

void verify(State& state, const Point& point) {
  state.targets.fill(kPoison);
  const MessageRelease work = work_of(state, point, kCheckedMessages);
  run(state, work);
  const int warps = work.cta_count * work.warps_per_cta;
  const std::size_t slot_words = std::size_t{kMessageSlotVectors} * 4;
  const std::size_t message_words = static_cast<std::size_t>(work.message_bytes) / 4;
  const auto releases =
      state.words.on(work.release_words == state.words.on(0).data() ? 0 : 1).download();
  for (int warp = 0; warp < warps; ++warp) {
    if (releases[static_cast<std::size_t>(warp)] != kCheckedMessages)
      throw DeviceError("message release: a word does not hold the number of messages");
    const std::size_t slots = std::size_t{kMessageSlots} * kMessageSlotVectors;
    const auto found =
        state.targets.on(target_gpu(point)).download(static_cast<std::size_t>(warp) * slots, slots);
    const std::span<const std::uint32_t> words(&found.front().x, found.size() * 4);
    for (int slot = 0; slot < kMessageSlots; ++slot) {
      const auto message = words.subspan(static_cast<std::size_t>(slot) * slot_words, slot_words);
      const auto first =
          static_cast<std::uint32_t>(kernels::source_row(warp, slot) * kMessageSlotVectors);
      if (kernels::wrong_vectors(message.first(message_words), kStamp, first) > 0 ||
          kernels::touched_vectors(message.subspan(message_words), kPoison) > 0)
        throw DeviceError("message release: a slot does not hold exactly its message");
    }
  }
}

PointResult measure(State& state, const Point& point) {
  verify(state, point);
  constexpr std::size_t kMessages = kWarmups + kSamples;
  const MessageRelease work = work_of(state, point, static_cast<int>(kMessages));
  run(state, work);
  const std::size_t warps = static_cast<std::size_t>(work.cta_count * work.warps_per_cta);
  const auto counts = state.cycles.download(0, warps * kMessages * kParts);
  const auto part = [&](std::size_t index) {
    return mean_over_units_ns({.counts = counts, .samples_per_unit = kMessages, .parts = kParts},
                              state.cycles_per_ns,
                              index);
  };
  PointResult result;
  result.bytes_moved = std::int64_t{work.message_bytes} * static_cast<std::int64_t>(warps);
  return result.add("slot_atomic_ns", part(0)).add("copy_ns", part(1)).add("release_ns", part(2));
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  const auto add = [&](const char* target,
                       const char* release,
                       const char* ctas,
                       std::int64_t warps,
                       std::int64_t bytes) {
    all.push_back(Point{}
                      .with("target", target)
                      .with("release", release)
                      .with("ctas", ctas)
                      .with("warps", warps)
                      .with("message_bytes", bytes));
  };
  for (const char* target : {"local", "peer"}) {
    if (gpus < 2 && target[0] == 'p') continue;
    for (const char* release : {"add_gpu", "store_sys"}) {
      // 7408 and 14352 bytes are the FP8 and BF16 messages of 7168 channels.
      for (const std::int64_t bytes : {512, 1024, 2048, 4096, 7408, 14352, 16384})
        add(target, release, "1", 1, bytes);
      for (const std::int64_t bytes : {2048, 7408, 14352}) {
        add(target, release, "1", kMostMessageWarps, bytes);
        add(target, release, "all", kMostMessageWarps, bytes);
      }
    }
  }
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::message_release
