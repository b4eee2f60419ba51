// M11: whether decode warps ever see a stage overwritten under their hands where the fence before
// its release is missing. Counts, no times: a count of 0 is what the hardware showed, not a proof.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/combine_fence_names.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/ring_reduce.cuh"
#include "kernels/micro/ring_reuse.cuh"
#include "kernels/micro/stamped_rows.cuh"
#include "sim/base/check.hpp"

namespace epsim::ring_reuse {
namespace {

using kernels::DeviceArray;
using kernels::RingReuse;
using kernels::StampCheck;

constexpr int kRowBytes = 14336;  // a row of 7168 channels
constexpr int kUsualDepth = 3;    // stages, as the combine kernel has
constexpr int kMostLoads = kUsualDepth + 13;
constexpr std::size_t kLaunches = 20;
constexpr int kRowsPerLaunch = 250'000;  // 5 million checks a point
constexpr int kDelayNs = 500;            // about the time of a bulk load

struct State {
  explicit State(Lab& in)
      : lab(in),
        group_count(in.gpus().sm_count() * kernels::ring_groups(kRowBytes)),
        rows(0, row_count(kMostLoads) * kRowBytes),
        last_stale(0, row_count(kMostLoads)),
        stale_rows(0, kLaunches),
        stale_vectors(0, kLaunches) {}

  [[nodiscard]] std::size_t row_count(int loads) const {
    return static_cast<std::size_t>(group_count) * static_cast<std::size_t>(loads);
  }

  Lab& lab;
  int group_count;
  DeviceArray<std::uint8_t> rows;
  DeviceArray<int> last_stale;
  DeviceArray<unsigned long long> stale_rows, stale_vectors;
};

// A point as the kernel takes it.
struct Trial {
  RingReuse work;
  kernels::CombineFence fence;
  StampCheck check;
};

Trial trial_of(State& state, const Point& point) {
  const int depth = static_cast<int>(point.integer("depth"));
  const int loads = depth + static_cast<int>(point.integer("reuses"));
  check(loads <= kMostLoads, "the rows of a round fit the buffer");
  const int rows_per_round = static_cast<int>(state.row_count(loads));
  return {.work = {.rows = state.rows.data(),
                   .last_stale = state.last_stale.data(),
                   .stale_rows = state.stale_rows.data(),
                   .stale_vectors = state.stale_vectors.data(),
                   .iteration = 1,
                   .row_bytes = kRowBytes,
                   .cta_count = state.lab.gpus().sm_count(),
                   .depth = depth,
                   .loads = loads,
                   .rounds = (kRowsPerLaunch + rows_per_round - 1) / rows_per_round,
                   .delay_ns = static_cast<int>(point.integer("delay_ns")),
                   .slow_warps = static_cast<int>(point.integer("slow_warps"))},
          .fence = combine_fence(point.text("fence")),
          .check = point.text("check") == "before_release" ? StampCheck::before_release
                                                           : StampCheck::after_release};
}

void stamp_rows(State& state, const RingReuse& work, int iteration) {
  kernels::launch_stamp_rows({.rows = state.rows.data(),
                              .pitch_bytes = kRowBytes,
                              .row_bytes = kRowBytes,
                              .row_count = static_cast<int>(state.row_count(work.loads)),
                              .iteration = iteration},
                             state.lab.gpus().stream(0));
}

void clear_counts(State& state) {
  state.last_stale.fill(0);
  state.stale_rows.fill(0);
  state.stale_vectors.fill(0);
}

// A count of 0 says something only of a kernel that would have counted: with rows of another
// iteration, every vector of every row must be found stale, once.
void verify_that_it_counts(State& state, Trial trial) {
  trial.work.rounds = 1;
  clear_counts(state);
  stamp_rows(state, trial.work, trial.work.iteration + 1);
  launch_ring_reuse(trial.work, trial.fence, trial.check, state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
  const unsigned long long rows = state.row_count(trial.work.loads);
  if (state.stale_rows.download().front() != rows ||
      state.stale_vectors.download().front() != rows * (kRowBytes / 16))
    throw DeviceError("ring reuse: the check does not see all stale rows that are there");
}

std::vector<double> as_samples(const std::vector<unsigned long long>& counts) {
  std::vector<double> samples;
  for (const unsigned long long count : counts) samples.push_back(static_cast<double>(count));
  return samples;
}

PointResult measure(State& state, const Point& point) {
  Trial trial = trial_of(state, point);
  kernels::cuda_check(cudaSetDevice(0));
  verify_that_it_counts(state, trial);
  clear_counts(state);
  for (std::size_t launch = 0; launch < kLaunches; ++launch) {
    trial.work.iteration = static_cast<int>(launch) + 1;
    trial.work.stale_rows = state.stale_rows.data() + launch;
    trial.work.stale_vectors = state.stale_vectors.data() + launch;
    stamp_rows(state, trial.work, trial.work.iteration);
    launch_ring_reuse(trial.work, trial.fence, trial.check, state.lab.gpus().stream(0));
  }
  state.lab.gpus().synchronize();

  const std::size_t checks =
      state.row_count(trial.work.loads) * static_cast<std::size_t>(trial.work.rounds);
  PointResult result;
  result.bytes_moved = static_cast<std::int64_t>(checks) * kRowBytes;
  result.add("stale_rows", as_samples(state.stale_rows.download()));
  result.add("stale_vectors", as_samples(state.stale_vectors.download()));
  return result.add("row_checks", std::vector<double>(kLaunches, static_cast<double>(checks)));
}

struct Provocation {
  std::string_view fence = "P0";
  int depth = 3;
  int reuses = 13;
  int delay_ns = 0;
  int slow_warps = 0;
  const char* check = "after_release";
};

Point point_of(const Provocation& p) {
  return Point{}
      .with("fence", p.fence)
      .with("depth", p.depth)
      .with("reuses", p.reuses)
      .with("delay_ns", p.delay_ns)
      .with("slow_warps", p.slow_warps)
      .with("check", p.check);
}

}  // namespace

std::vector<Point> points(int) {
  constexpr int kDecodeWarps = kRowBytes / 1024;
  std::vector<Point> all;
  for (const std::string_view fence : {"P0", "P4"})
    for (int reuses = 0; reuses <= kMostLoads - kUsualDepth; ++reuses)
      for (const char* check : {"before_release", "after_release"}) {
        all.push_back(point_of({.fence = fence, .reuses = reuses, .check = check}));
        // Half of the warps sleep: the others wait a long time for the next rows.
        all.push_back(point_of({.fence = fence,
                                .reuses = reuses,
                                .delay_ns = kDelayNs,
                                .slow_warps = kDecodeWarps / 2,
                                .check = check}));
      }
  // All warps sleep; rings so short that every load overwrites what was just read.
  for (const int depth : {1, 2, 3})
    for (const int delay_ns : {0, kDelayNs})
      for (const std::string_view fence : {"P0", "P4", "P3"}) {
        const Point point = point_of({.fence = fence,
                                      .depth = depth,
                                      .delay_ns = delay_ns,
                                      .slow_warps = delay_ns > 0 ? kDecodeWarps : 0});
        if (std::ranges::find(all, point) == all.end()) all.push_back(point);
      }
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::ring_reuse
