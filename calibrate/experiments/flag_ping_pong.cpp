// M4: how long a flag takes from one GPU to another, by the instructions that carry it and by how
// many others poll beside it.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cycle_samples.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/flag_ping_pong.cuh"
#include "sim/base/check.hpp"

namespace epsim::flag_ping_pong {
namespace {

using kernels::FlagPingPong;
using kernels::FlagSignal;

constexpr int kMostPollers = 255;
constexpr int kRounds = 64;  // of a sample: the clock's own cost vanishes among them
constexpr int kCheckedRounds = 2000;
constexpr int kPayloadWord = 512;  // on a line of its own, away from flag and polled words
constexpr int kWords = 1024;

struct State {
  explicit State(Lab& in)
      : lab(in),
        words(2, kWords),
        stale_counts(2, 1),
        sample_cycles(0, kWarmups + kSamples),
        cycles_per_ns(in.cycles_per_ns()) {
    words.fill(0);
  }

  Lab& lab;
  kernels::Symmetric<int> words;
  kernels::Symmetric<int> stale_counts;
  kernels::DeviceArray<std::int64_t> sample_cycles;
  double cycles_per_ns;
  int value = 0;  // of both flags; no point starts below where the last one ended
};

FlagSignal signal_of(const std::string& variant) {
  if (variant == "release_acquire") return FlagSignal::release_acquire;
  if (variant == "relaxed_fence") return FlagSignal::relaxed_fence;
  if (variant == "volatile") return FlagSignal::volatile_word;
  check(variant == "red", "the variant is one of the sweep's");
  return FlagSignal::reduction;
}

// Plays `work` on both GPUs; only what differs between them is filled in here.
void play(State& state, FlagPingPong work, bool checked) {
  work.first_value = state.value;
  state.lab.meet(2);
  for (int rank = 0; rank < 2; ++rank) {
    FlagPingPong half = work;
    half.own = state.words.on(rank).data();
    half.peer = state.words.on(1 - rank).data();
    half.own_payload = checked ? half.own + kPayloadWord : nullptr;
    half.peer_payload = checked ? half.peer + kPayloadWord : nullptr;
    half.stale_count = state.stale_counts.on(rank).data();
    half.sample_cycles = rank == 0 ? state.sample_cycles.data() : nullptr;
    half.starts = rank == 0;
    kernels::cuda_check(cudaSetDevice(rank));
    launch_flag_ping_pong(half, state.lab.gpus().stream(rank));
  }
  state.lab.gpus().synchronize();
  state.value = last_value(work);
}

// The volatile flag orders nothing, so nothing may be expected behind it.
void verify(State& state, FlagPingPong work) {
  state.stale_counts.fill(0);
  work.sample_count = 1;
  work.rounds_per_sample = kCheckedRounds;
  play(state, work, work.signal != FlagSignal::volatile_word);
  for (int rank = 0; rank < 2; ++rank) {
    if (state.stale_counts.on(rank).download().front() != 0)
      throw DeviceError("flag ping-pong: a payload was stale behind its flag");
    if (state.words.on(rank).download(0, 1).front() != state.value)
      throw DeviceError("flag ping-pong: a flag does not hold the last round's value");
  }
}

PointResult measure(State& state, const Point& point) {
  FlagPingPong work{};
  work.signal = signal_of(point.text("variant"));
  work.poller_count = static_cast<int>(point.integer("pollers"));
  check(work.poller_count <= kMostPollers, "the words have room for all pollers");
  verify(state, work);
  work.sample_count = static_cast<int>(kWarmups + kSamples);
  work.rounds_per_sample = kRounds;
  play(state, work, false);
  const auto counts = state.sample_cycles.download();
  std::vector<double> samples = mean_over_units_ns(
      {.counts = counts, .samples_per_unit = counts.size()}, state.cycles_per_ns);
  for (double& sample : samples) sample /= 2.0 * kRounds;  // two ways a round
  return PointResult{}.add("one_way_ns", std::move(samples));
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> all;
  for (const char* variant : {"release_acquire", "relaxed_fence", "volatile", "red"})
    for (const std::int64_t pollers : {0, 31, kMostPollers})
      all.push_back(Point{}.with("variant", variant).with("pollers", pollers));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::flag_ping_pong
