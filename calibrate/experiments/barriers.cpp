// M15: what it costs to meet within a GPU: barriers of a grid and of a CTA, additions that return,
// and a flag between two CTAs. All by the clock of the SM, in loops inside one kernel.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "kernels/device_array.hpp"
#include "kernels/micro/barrier_loops.cuh"
#include "kernels/micro/word_loops.cuh"

namespace epsim::barriers {
namespace {

using kernels::BarrierKind;

constexpr int kRepeats = 64;  // in a sample: the clock's own cost and the loop's ends vanish
constexpr int kLoopSamples = static_cast<int>(kWarmups + kSamples);
constexpr int kVerifySamples = 2;
constexpr int kMostThreads = 1024;
constexpr int kOwnWordStride = 32;  // ints: a line of 128 bytes for each CTA's own word
constexpr std::int64_t kManyCtas = 128;

struct State {
  explicit State(Lab& in)
      : lab(in),
        most_ctas(std::max(in.gpus().sm_count(), static_cast<int>(kManyCtas))),
        words(0, static_cast<std::size_t>(std::max(kMostThreads, most_ctas * kOwnWordStride))),
        misses(0, 1),
        cycles(0, static_cast<std::size_t>(kLoopSamples) * static_cast<std::size_t>(most_ctas)) {}

  Lab& lab;
  int most_ctas;
  kernels::DeviceArray<int> words, misses;
  kernels::DeviceArray<std::uint64_t> cycles;
};

// Cycles of samples of `operations` each, to ns of one operation.
std::vector<double> latency_ns(State& state, const std::vector<double>& cycles, double operations) {
  const double cycles_per_ns = state.lab.cycles_per_ns(0);
  std::vector<double> samples;
  for (const double sample : cycles) samples.push_back(sample / operations / cycles_per_ns);
  return without_warmups(std::move(samples));
}

// Of each sample, the mean over those who timed it.
std::vector<double> mean_cycles(const State& state, std::size_t timers) {
  const std::vector<std::uint64_t> all =
      state.cycles.download(0, static_cast<std::size_t>(kLoopSamples) * timers);
  std::vector<double> samples;
  for (std::size_t first = 0; first < all.size(); first += timers) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
    const std::uint64_t sum =
        std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(timers), std::uint64_t{0});
    samples.push_back(static_cast<double>(sum) / static_cast<double>(timers));
  }
  return samples;
}

PointResult measure_barrier(State& state, kernels::BarrierLoops work) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  state.words.fill(0);
  state.misses.fill(0);
  work.repeat_count = kRepeats;
  work.cycles = state.cycles.data();
  work.sample_count = kVerifySamples;
  work.stamps = state.words.data();
  work.misses = state.misses.data();
  kernels::launch_barrier_loops(work, stream);
  state.lab.gpus().synchronize();
  if (state.misses.download().front() != 0)
    throw DeviceError("a barrier let a thread pass before its neighbour had come");
  work.sample_count = kLoopSamples;
  work.stamps = nullptr;
  work.misses = nullptr;
  kernels::cuda_check(cudaSetDevice(0));
  kernels::launch_barrier_loops(work, stream);
  state.lab.gpus().synchronize();
  return PointResult{}.add("latency_ns", latency_ns(state, mean_cycles(state, 1), kRepeats));
}

PointResult measure_atomic(State& state, int ctas, bool is_one_word) {
  state.words.fill(0);
  kernels::launch_atomic_loops({.cta_count = ctas,
                                .word_stride = is_one_word ? 0 : kOwnWordStride,
                                .sample_count = kLoopSamples,
                                .repeat_count = kRepeats,
                                .words = state.words.data(),
                                .cycles = state.cycles.data()},
                               state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
  const std::vector<int> words = state.words.download();
  const std::int64_t sum = std::accumulate(words.begin(), words.end(), std::int64_t{0});
  if (sum != std::int64_t{ctas} * kLoopSamples * kRepeats)
    throw DeviceError("additions to a word of the GPU were lost");
  return PointResult{}.add(
      "latency_ns",
      latency_ns(state, mean_cycles(state, static_cast<std::size_t>(ctas)), kRepeats));
}

PointResult measure_local_flag(State& state, const std::string& scope, int partner) {
  state.words.fill(0);
  kernels::launch_local_ping_pong(
      {.scope = scope == "gpu" ? kernels::FlagScope::gpu : kernels::FlagScope::sys,
       .partner = partner,
       .sample_count = kLoopSamples,
       .repeat_count = kRepeats,
       .first_value = 1,
       .words = state.words.data(),
       .cycles = state.cycles.data()},
      state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
  const std::vector<int> words = state.words.download(0, kernels::kPingPongStride + 1);
  if (words.front() != kLoopSamples * kRepeats || words.back() != kLoopSamples * kRepeats)
    throw DeviceError("two CTAs of a GPU did not answer each other to the end");
  // There and back is two flags.
  return PointResult{}.add("latency_ns", latency_ns(state, mean_cycles(state, 1), 2.0 * kRepeats));
}

PointResult measure(State& state, const Point& point) {
  const std::string& form = point.text("form");
  const int sm_count = state.lab.gpus().sm_count();
  state.lab.gpus().synchronize();
  kernels::cuda_check(cudaSetDevice(0));
  if (form == "local_flag") {
    const int partner = static_cast<int>(point.integer("partner"));
    if (partner >= sm_count) return unsupported_point();
    return measure_local_flag(state, point.text("scope"), partner);
  }
  const bool is_cta = form == "named_barrier" || form == "mbarrier";
  int ctas = 1;
  if (!is_cta)
    ctas = point.text("ctas") == "all" ? sm_count : static_cast<int>(point.integer("ctas"));
  if (ctas > sm_count) return unsupported_point();
  if (form == "atomic_add") return measure_atomic(state, ctas, point.text("words") == "one");
  kernels::BarrierLoops work{};
  work.kind = form == "grid_sync"       ? BarrierKind::grid
              : form == "named_barrier" ? BarrierKind::named
                                        : BarrierKind::mbarrier;
  work.cta_count = ctas;
  work.thread_count = static_cast<int>(point.integer("threads"));
  return measure_barrier(state, work);
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> all;
  for (const char* ctas : {"1", "2", "4", "8", "16", "32", "64", "128", "all"})
    all.push_back(
        Point{}.with("form", "grid_sync").with("ctas", ctas).with("threads", kMostThreads));
  for (const char* form : {"named_barrier", "mbarrier"})
    for (std::int64_t threads = 32; threads <= kMostThreads; threads *= 2)
      all.push_back(Point{}.with("form", form).with("threads", threads));
  for (const char* words : {"one", "own"})
    for (const std::int64_t ctas : {std::int64_t{1}, kManyCtas})
      all.push_back(Point{}.with("form", "atomic_add").with("ctas", ctas).with("words", words));
  // The SM of a CTA is not ours to choose; far CTA numbers are on other GPCs than CTA 0.
  for (const char* scope : {"gpu", "sys"})
    for (const std::int64_t partner : {1, 2, 17, 64})
      all.push_back(
          Point{}.with("form", "local_flag").with("scope", scope).with("partner", partner));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::barriers
