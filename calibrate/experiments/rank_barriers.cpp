// M16: what it costs GPUs to meet, in the forms of the two generations of expert-parallel kernels.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/rank_barrier_loops.cuh"

namespace epsim::rank_barriers {
namespace {

using kernels::RankBarrierForm;
using kernels::RankBarrierLoops;

constexpr int kRepeats = 64;  // in a sample: the clock's own cost and the loop's ends vanish
constexpr int kLoopSamples = static_cast<int>(kWarmups + kSamples);
constexpr int kVerifySamples = 4;

struct FormName {
  const char* name;
  RankBarrierForm form;
};
constexpr std::array kForms = {
    FormName{"meeting", RankBarrierForm::meeting},
    FormName{"meeting_with_fence", RankBarrierForm::meeting_with_fence},
    FormName{"sign", RankBarrierForm::sign},
};

struct State {
  explicit State(Lab& in)
      : lab(in),
        words(in.gpus(), std::size_t{kernels::kMostRanks} * kernels::kRankBarrierSlotInts),
        stamps(in.gpus(), kernels::kMostRanks),
        misses(in.gpus(), 1),
        cycles(in.gpus(), static_cast<std::size_t>(kLoopSamples)) {}

  Lab& lab;
  kernels::Symmetric<int> words, stamps, misses;
  kernels::Symmetric<std::uint64_t> cycles;
};

RankBarrierForm form_of(const std::string& name) {
  for (const FormName& entry : kForms)
    if (entry.name == name) return entry.form;
  throw DeviceError("no barrier of ranks is called " + name);
}

void run_all_ranks(State& state, RankBarrierLoops work, bool with_stamps) {
  // Behind a gate: no rank starts to wait for one whose kernel the host has yet to queue.
  state.lab.meet(work.rank_count, true);
  for (int rank = 0; rank < work.rank_count; ++rank) {
    kernels::cuda_check(cudaSetDevice(rank));
    work.rank = rank;
    work.cycles = state.cycles.on(rank).data();
    work.misses = with_stamps ? state.misses.on(rank).data() : nullptr;
    kernels::launch_rank_barrier_loops(work, state.lab.gpus().stream(rank));
  }
  state.lab.open_gate();
  state.lab.gpus().synchronize();
}

// Runs before the timing, on zeroed words; the timing goes on with the words as they are left.
void verify(State& state, const RankBarrierLoops& work) {
  // The meeting without a fence orders no memory, so stamps prove nothing: its slots must agree.
  const bool with_stamps = work.form != RankBarrierForm::meeting;
  run_all_ranks(state, work, with_stamps);
  for (int rank = 0; rank < work.rank_count; ++rank) {
    if (with_stamps && state.misses.on(rank).download().front() != 0)
      throw DeviceError("a barrier of ranks let a rank pass before another had come");
    // An even number of uses of each word has passed: all are back at zero.
    for (const int word : state.words.on(rank).download())
      if (word != 0) throw DeviceError("a barrier of ranks left a word that is not zero");
  }
}

PointResult measure(State& state, const Point& point) {
  state.lab.gpus().synchronize();
  state.words.fill(0);
  state.stamps.fill(0);
  state.misses.fill(0);
  RankBarrierLoops work{};
  work.form = form_of(point.text("form"));
  work.rank_count = static_cast<int>(point.integer("ranks"));
  work.repeat_count = kRepeats;
  work.words = state.words.peers();
  work.stamps = state.stamps.peers();
  work.sample_count = kVerifySamples;
  verify(state, work);
  work.first_use = kVerifySamples * kRepeats;
  work.sample_count = kLoopSamples;
  run_all_ranks(state, work, false);
  const std::vector<std::uint64_t> cycles = state.cycles.on(0).download();
  const double cycles_per_barrier_ns = state.lab.cycles_per_ns(0) * kRepeats;
  std::vector<double> samples;
  for (const std::uint64_t sample : cycles)
    samples.push_back(static_cast<double>(sample) / cycles_per_barrier_ns);
  return PointResult{}.add("latency_ns", without_warmups(std::move(samples)));
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  for (const FormName& form : kForms)
    for (std::int64_t ranks = 2; ranks <= gpus; ++ranks)
      all.push_back(Point{}.with("form", form.name).with("ranks", ranks));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::rank_barriers
