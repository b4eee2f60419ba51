// M13: the send phase of a combine alone: how long a warp takes for a row and a block of it, by
// warps, groups, the CTAs that they stand on, blocks loaded ahead and the pitch of stages.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cold_cache.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/robust_stats.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/row_sender.cuh"
#include "kernels/micro/stamped_rows.cuh"
#include "sim/base/check.hpp"

namespace epsim::combine_send {
namespace {

using kernels::DeviceArray;
using kernels::GroupSpread;
using kernels::RowSender;
using kernels::StagePitch;

constexpr int kRowBytes = 14336;  // a row of 7168 channels
constexpr int kRowsPerWarp = 4;   // as in a combine of 1024 tokens with eight choices
constexpr int kMostWarps = 16;    // of a group
constexpr int kMostGroups = 128;
constexpr std::size_t kTimed = 100;  // samples; the largest points last half a millisecond
constexpr std::size_t kCalls = kWarmups + kTimed;
constexpr std::size_t kCallsPerGate = 16;
constexpr std::size_t kMostRows = std::size_t{kMostWarps} * kMostGroups * kRowsPerWarp;

struct State {
  explicit State(Lab& in)
      : lab(in),
        rows(0, kMostRows * kRowBytes),
        targets(std::min(in.gpu_count(), 2), kMostRows * kernels::sender_slot_bytes(kRowBytes)),
        cycles(0, kCalls * kMostGroups * kMostWarps),
        wrong(0, 1),
        cache(0) {}

  Lab& lab;
  DeviceArray<std::uint8_t> rows;
  kernels::Symmetric<std::uint8_t> targets;  // [0] local, [1] a peer's
  DeviceArray<std::uint64_t> cycles;
  DeviceArray<unsigned long long> wrong;
  ColdCache cache;
};

// A point as the kernel takes it.
struct Trial {
  RowSender work;
  int prefetch;
  StagePitch pitch;
  GroupSpread spread;
  int target_gpu;
};

Trial trial_of(State& state, const Point& point) {
  const int target = point.text("target") == "peer" ? 1 : 0;
  return {.work = {.rows = state.rows.data(),
                   .target = state.targets.on(target).data(),
                   .warp_cycles = state.cycles.data(),
                   .row_bytes = kRowBytes,
                   .rows_per_warp = kRowsPerWarp,
                   .warps_per_group = static_cast<int>(point.integer("warps")),
                   .group_count = static_cast<int>(point.integer("groups")),
                   .cta_count = state.lab.gpus().sm_count()},
          .prefetch = static_cast<int>(point.integer("prefetch")),
          .pitch = point.text("pitch") == "packed" ? StagePitch::packed : StagePitch::aligned,
          .spread = point.text("ctas") == "spread" ? GroupSpread::spread : GroupSpread::consecutive,
          .target_gpu = target};
}

void launch(State& state, const Trial& trial) {
  launch_row_sender(
      trial.work, trial.prefetch, trial.pitch, trial.spread, state.lab.gpus().stream(0));
}

// Every row arrives at its slot, whole.
void verify(State& state, const Trial& trial) {
  const std::size_t slot_bytes = kernels::sender_slot_bytes(kRowBytes);
  const int rows = row_count(trial.work);
  const kernels::StampedRows sent{.rows = state.rows.data(),
                                  .pitch_bytes = kRowBytes,
                                  .row_bytes = kRowBytes,
                                  .row_count = rows,
                                  .iteration = 1};
  kernels::StampedRows arrived = sent;
  arrived.rows = trial.work.target + slot_bytes - kRowBytes;
  arrived.pitch_bytes = slot_bytes;

  state.targets.on(trial.target_gpu).fill(0xff);
  state.wrong.fill(0);
  kernels::cuda_check(cudaSetDevice(0));
  launch_stamp_rows(sent, state.lab.gpus().stream(0));
  launch(state, trial);
  launch_count_wrong_stamps(arrived, state.wrong.data(), state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
  const unsigned long long wrong = state.wrong.download().front();
  if (wrong > 0)
    throw DeviceError("combine send: " + std::to_string(wrong) +
                      " vectors did not arrive as they were sent");
}

PointResult measure(State& state, const Point& point) {
  if (point.integer("groups") > state.lab.gpus().sm_count()) return unsupported_point();
  Trial trial = trial_of(state, point);
  verify(state, trial);
  const std::size_t warps =
      static_cast<std::size_t>(trial.work.group_count * trial.work.warps_per_group);
  (void)run_gated(state.lab, kCalls, kCallsPerGate, [&](std::size_t call) {
    state.cache.flush(state.lab.gpus().stream(0));
    trial.work.warp_cycles = state.cycles.data() + call * warps;
    launch(state, trial);
  });

  const double cycles_per_ns = state.lab.cycles_per_ns();
  const std::vector<std::uint64_t> cycles = state.cycles.download(0, kCalls * warps);
  const int blocks = kernels::sender_blocks(kRowBytes);
  const double row_bytes = static_cast<double>(kRowBytes) * row_count(trial.work);
  std::vector<double> block_ns, row_ns, rates;
  for (std::size_t call = kWarmups; call < kCalls; ++call) {
    std::vector<double> spans;
    for (std::size_t warp = 0; warp < warps; ++warp)
      spans.push_back(static_cast<double>(cycles[call * warps + warp]) / cycles_per_ns);
    row_ns.push_back(quantiles(spans).median / kRowsPerWarp);
    block_ns.push_back(row_ns.back() / blocks);
    rates.push_back(row_bytes / *std::ranges::max_element(spans));
  }
  PointResult result;
  result.bytes_moved = bytes_moved(trial.work);
  result.add("block_ns", std::move(block_ns));
  result.add("row_ns", std::move(row_ns));
  return result.add("rate_gb_per_s", std::move(rates));
}

struct Place {
  const char* target;
  int groups;
  int warps = kMostWarps;
  int prefetch = 1;
  const char* pitch = "packed";
  const char* ctas = "consecutive";
};

Point point_of(const Place& place) {
  return Point{}
      .with("target", place.target)
      .with("groups", place.groups)
      .with("warps", place.warps)
      .with("prefetch", place.prefetch)
      .with("pitch", place.pitch)
      .with("ctas", place.ctas);
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  for (const char* target : {"local", "peer"}) {
    if (std::string_view(target) == "peer" && gpus < 2) continue;
    for (const int groups : {1, 8, 32, 64, kMostGroups})
      for (const int warps : {1, 2, 4, 8, kMostWarps})
        all.push_back(point_of({.target = target, .groups = groups, .warps = warps}));
    for (const int groups : {1, kMostGroups})
      for (const int warps : {1, kMostWarps})
        all.push_back(
            point_of({.target = target, .groups = groups, .warps = warps, .prefetch = 2}));
    for (const int groups : {1, 32, kMostGroups})
      all.push_back(point_of({.target = target, .groups = groups, .pitch = "aligned"}));
    for (const int groups : {8, 32, 64})
      all.push_back(point_of({.target = target, .groups = groups, .ctas = "spread"}));
  }
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::combine_send
