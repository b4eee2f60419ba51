// M10: the receive phase of a combine alone, by placement of fences, tokens, choices, depth of the
// ring, length of rows and where the rows lie.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cold_cache.hpp"
#include "calibrate/experiments/combine_fence_names.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/launch_records.hpp"
#include "calibrate/robust_stats.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/ring_reduce.cuh"
#include "sim/base/check.hpp"

namespace epsim::combine_ring {
namespace {

using kernels::DeviceArray;
using kernels::RingReduce;

constexpr int kMostTokens = 1024;
constexpr int kMostChoices = 8;
constexpr int kMostRowBytes = 16384;
constexpr std::size_t kMostGroupsPerCta = 2;
constexpr std::size_t kCalls = kWarmups + kSamples;
constexpr std::size_t kCallsPerGate = 16;  // up to four operations each
constexpr std::string_view kKernel = "ring_reduce_kernel";

struct State {
  explicit State(Lab& in)
      : lab(in),
        slots(0, kMostTokens * kMostChoices * kernels::ring_slot_bytes(kMostRowBytes)),
        expert_ids(0, kMostTokens * kMostChoices),
        weights(0, kMostTokens * kMostChoices),
        output(0, std::size_t{kMostTokens} * kMostRowBytes / 2),
        loader_cycles(0,
                      kCalls * static_cast<std::size_t>(in.gpus().sm_count()) * kMostGroupsPerCta),
        wrong(0, 1),
        cache(0) {}

  Lab& lab;
  DeviceArray<std::uint8_t> slots;
  DeviceArray<std::int64_t> expert_ids;
  DeviceArray<float> weights;
  DeviceArray<std::uint16_t> output;
  DeviceArray<std::uint64_t> loader_cycles;
  DeviceArray<unsigned long long> wrong;
  ColdCache cache;
};

std::size_t group_count(const RingReduce& work) {
  return static_cast<std::size_t>(work.cta_count * kernels::ring_groups(work.row_bytes));
}

RingReduce work_of(State& state, const Point& point) {
  const int tokens = static_cast<int>(point.integer("tokens"));
  const int sms = state.lab.gpus().sm_count();
  const int tokens_per_cta = (tokens + sms - 1) / sms;
  return {.slots = state.slots.data(),
          .expert_ids = state.expert_ids.data(),
          .weights = state.weights.data(),
          .output = state.output.data(),
          .loader_cycles = state.loader_cycles.data(),
          .row_bytes = static_cast<int>(point.integer("row_bytes")),
          .token_count = tokens,
          .top_k = static_cast<int>(point.integer("top_k")),
          .depth = static_cast<int>(point.integer("depth")),
          .cta_count = (tokens + tokens_per_cta - 1) / tokens_per_cta};
}

// Channels that are not the weighted sum of their rows. Any is an error where the fences order the
// ring's reads and loads, and a finding where they do not.
unsigned long long verify(State& state, const RingReduce& work, kernels::CombineFence fence) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  kernels::cuda_check(cudaSetDevice(0));
  state.output.fill(0xff, stream);
  state.wrong.fill(0, stream);
  launch_fill_ring_slots(work, stream);
  launch_fill_ring_choices(work, state.expert_ids.data(), state.weights.data(), stream);
  launch_ring_reduce(work, fence, stream);
  launch_count_wrong_sums(work, state.wrong.data(), stream);
  state.lab.gpus().synchronize();
  const unsigned long long wrong = state.wrong.download().front();
  if (wrong > 0 && kernels::closes_ring_edge(fence))
    throw DeviceError("combine ring: " + std::to_string(wrong) +
                      " channels are not the weighted sum of their rows");
  return wrong;
}

// Before each reduction the rows are put where the point says that they come from.
void place_rows(State& state, const RingReduce& work, const std::string& source) {
  Lab& lab = state.lab;
  if (source == "hbm") state.cache.flush(lab.gpus().stream(0));
  if (source == "peer") {
    lab.meet(2);  // nobody reads any more
    kernels::cuda_check(cudaSetDevice(1));
    launch_fill_ring_slots(work, lab.gpus().stream(1));
    lab.meet(2);  // all has been written
    kernels::cuda_check(cudaSetDevice(0));
  }
}

// Of the load warps with the most rows, the median time from one row to the next, for each sample.
std::vector<double> row_periods(State& state, const RingReduce& work) {
  const int groups = kernels::ring_groups(work.row_bytes);
  const std::size_t count = group_count(work);
  const double cycles_per_ns = state.lab.cycles_per_ns();
  const std::vector<std::uint64_t> cycles = state.loader_cycles.download(0, kCalls * count);
  const auto tokens_of = [&](std::size_t unit) {
    const int cta = static_cast<int>(unit) / groups, group = static_cast<int>(unit) % groups;
    const int first = cta + group * work.cta_count, stride = groups * work.cta_count;
    return first < work.token_count ? (work.token_count - 1 - first) / stride + 1 : 0;
  };
  const int most = tokens_of(0);
  std::vector<double> periods;
  for (std::size_t call = kWarmups; call < kCalls; ++call) {
    std::vector<double> busiest;
    for (std::size_t unit = 0; unit < count; ++unit)
      if (tokens_of(unit) == most)
        busiest.push_back(static_cast<double>(cycles[call * count + unit]) / (most * work.top_k) /
                          cycles_per_ns);
    periods.push_back(quantiles(busiest).median);
  }
  return periods;
}

PointResult measure(State& state, const Point& point) {
  RingReduce work = work_of(state, point);
  kernels::cuda_check(cudaSetDevice(0));
  if (!kernels::ring_fits(work.row_bytes, work.depth)) return unsupported_point();
  const kernels::CombineFence fence = combine_fence(point.text("fence"));
  const std::string& source = point.text("source");
  const unsigned long long wrong = verify(state, work, fence);

  const auto records = run_gated(state.lab, kCalls, kCallsPerGate, [&](std::size_t call) {
    place_rows(state, work, source);
    work.loader_cycles = state.loader_cycles.data() + call * group_count(work);
    launch_ring_reduce(work, fence, state.lab.gpus().stream(0));
  });
  const auto launches = launches_of(records, kKernel, 1, kCalls);
  std::vector<double> latencies;
  for (const GpuRecord& record : launches.front()) latencies.push_back(duration_ns(record));

  PointResult result;
  result.bytes_moved = bytes_moved(work);
  result.add("latency_ns", without_warmups(std::move(latencies)));
  result.add("row_period_ns", row_periods(state, work));
  if (!kernels::closes_ring_edge(fence)) result.add("wrong_channels", {static_cast<double>(wrong)});
  return result;
}

struct Place {
  const char* source = "hbm";
  std::string_view fence = "P0";
  int tokens = kMostTokens;
  int top_k = kMostChoices;
  int row_bytes = 14336;
  int depth = 3;
};

void add(std::vector<Point>& all, const Place& place) {
  const Point point = Point{}
                          .with("source", place.source)
                          .with("fence", place.fence)
                          .with("tokens", place.tokens)
                          .with("top_k", place.top_k)
                          .with("row_bytes", place.row_bytes)
                          .with("depth", place.depth);
  if (std::ranges::find(all, point) == all.end()) all.push_back(point);
}

// Rows of 128 tokens fit into the L2 cache, those of 1024 with eight choices do not.
void add_placements(std::vector<Point>& all, int gpus) {
  for (const CombineFenceName& name : combine_fence_names()) {
    for (const int tokens : {128, 1024}) add(all, {.fence = name.text, .tokens = tokens});
    add(all, {.source = "l2", .fence = name.text, .tokens = 128});
    if (gpus >= 2)
      for (const int tokens : {128, 1024})
        add(all, {.source = "peer", .fence = name.text, .tokens = tokens});
  }
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  add_placements(all, gpus);
  for (const std::string_view fence : {"P0", "P3", "P4", "P1b+P4"}) {
    for (const int tokens : {128, 1024})
      for (const int top_k : {1, 2, 4})
        add(all, {.fence = fence, .tokens = tokens, .top_k = top_k});
    for (const int top_k : {1, 2, 4})
      add(all, {.source = "l2", .fence = fence, .tokens = 128, .top_k = top_k});
  }
  for (const std::string_view fence : {"P0", "P3", "P4"}) {
    for (const int depth : {2, 4, 6}) {
      add(all, {.fence = fence, .depth = depth});
      add(all, {.source = "l2", .fence = fence, .tokens = 128, .depth = depth});
    }
    for (const int row_bytes : {2048, 4096, 8192, 16384}) {
      add(all, {.fence = fence, .row_bytes = row_bytes});
      add(all, {.source = "l2", .fence = fence, .tokens = 128, .row_bytes = row_bytes});
    }
  }
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::combine_ring
