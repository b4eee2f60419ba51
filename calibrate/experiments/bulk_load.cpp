// M12: latency and rate of bulk loads, by size, stages in flight and SMs, from L2 and from HBM; and
// what plain copies of all SMs reach on the same two levels.
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
#include "kernels/device_array.hpp"
#include "kernels/micro/bulk_load.cuh"
#include "kernels/micro/peer_load.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/reference/stamp_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim::bulk_load {
namespace {

using kernels::BulkLoad;
using kernels::PeerLoad;

// Streamed through once before any of it is read again: far more than an L2 cache of 50 MB holds.
constexpr std::int64_t kStreamedBytes = std::int64_t{2} << 30;
constexpr std::int64_t kCachedBytes = std::int64_t{16} << 20;  // fits beside what else is cached
constexpr std::int64_t kCopyBytes = std::int64_t{512} << 20;
constexpr int kCachedCopyPasses = 16;  // so that a copy of a few MB outlasts its launch
constexpr int kCopyThreads = 1024;
constexpr int kCopyCtasPerSm = 2;     // all the threads of an SM
constexpr double kLaunchNs = 150e3;   // a launch's aim, so that its start and end weigh little
constexpr double kLoadNs = 600;       // a load's latency, only to size launches
constexpr double kSmRate = 60;        // GB/s, as far as one SM gets; likewise
constexpr double kStreamRate = 4000;  // GB/s, HBM; likewise
constexpr int kMostNamedCtas = 64;    // of the sweep; a GPU may have fewer SMs
constexpr int kCheckedRounds = 4;     // of all stages
constexpr std::uint8_t kPoison = 0xa5;
constexpr std::uint32_t kStamp = 0xb01d0000;

struct State {
  explicit State(Lab& in)
      : lab(in),
        source(0, kStreamedBytes / 16),
        copied(0, kCopyBytes / 16),
        load_cycles(0,
                    static_cast<std::size_t>(std::max(in.gpus().sm_count(), kMostNamedCtas)) *
                        (kWarmups + kSamples)),
        right(0, 1),
        cycles_per_ns(in.cycles_per_ns()) {
    kernels::cuda_check(cudaSetDevice(0));
    kernels::launch_stamp_vectors(
        {.target = source.data(), .vector_count = source.size(), .stamp = kStamp},
        lab.gpus().stream(0));
    lab.gpus().synchronize();
  }

  Lab& lab;
  kernels::DeviceArray<uint4> source, copied;
  kernels::DeviceArray<std::int64_t> load_cycles;
  kernels::DeviceArray<unsigned long long> right;
  double cycles_per_ns;
  std::int64_t streamed = 0;  // bytes; where in the source the next launch begins
};

BulkLoad shape_of(State& state, const Point& point) {
  BulkLoad work{};
  work.source = state.source.data();
  work.block_bytes = static_cast<int>(point.integer("block_bytes"));
  work.stages = static_cast<int>(point.integer("stages"));
  work.cta_count = cta_count(point, state.lab);
  const bool is_cached = point.text("level") == "l2";
  work.block_count = (is_cached ? kCachedBytes : kStreamedBytes) / work.block_bytes;
  work.stamp = kStamp;
  return work;
}

// Starts where the launch before stopped, so that a streamed source is never met again soon.
void launch(State& state, BulkLoad work) {
  work.first_block = state.streamed / work.block_bytes % work.block_count;
  state.streamed = (state.streamed + bytes_moved(work)) % kStreamedBytes;
  kernels::cuda_check(cudaSetDevice(0));
  launch_bulk_load(work, state.lab.gpus().stream(0));
}

void verify(State& state, BulkLoad work) {
  state.right.fill(0);
  work.right = state.right.data();
  work.loads_per_cta = kCheckedRounds * work.stages;
  launch(state, work);
  state.lab.gpus().synchronize();
  if (static_cast<std::int64_t>(state.right.download().front()) != bytes_moved(work) / 16)
    throw DeviceError("bulk load: a stage did not hold the block that was asked for");
}

int timed_loads(const BulkLoad& work) {
  const double in_flight = static_cast<double>(work.stages) * work.block_bytes;
  const double rate = std::min({in_flight / kLoadNs, kSmRate, kStreamRate / work.cta_count});
  return std::max(8 * work.stages, static_cast<int>(rate * kLaunchNs / work.block_bytes));
}

std::vector<double> latencies_ns(State& state, BulkLoad work) {
  constexpr std::size_t kLoads = kWarmups + kSamples;
  work.load_cycles = state.load_cycles.data();
  work.loads_per_cta = static_cast<int>(kLoads);
  launch(state, work);
  state.lab.gpus().synchronize();
  const auto counts =
      state.load_cycles.download(0, static_cast<std::size_t>(work.cta_count) * kLoads);
  return mean_over_units_ns({.counts = counts, .samples_per_unit = kLoads}, state.cycles_per_ns);
}

PointResult measure_loads(State& state, const Point& point) {
  BulkLoad work = shape_of(state, point);
  verify(state, work);
  work.loads_per_cta = timed_loads(work);
  const auto durations =
      state.lab.aligned_latency(1, "bulk_load_kernel", [&](int, int) { launch(state, work); });
  PointResult result;
  result.bytes_moved = bytes_moved(work);
  result.add("rate_gb_per_s", rates_gb_per_s(result.bytes_moved, durations));
  if (work.stages == 1) result.add("latency_ns", latencies_ns(state, work));
  return result;
}

// How much one pass of a copy reads, and how often it passes.
struct CopySize {
  std::int64_t bytes;
  int passes;
};

CopySize copy_size(const Point& point) {
  if (point.text("kind") == "footprint") {
    // What is read and what is written share the footprint; all sizes move the same bytes.
    const std::int64_t bytes = (point.integer("mebibytes") << 20) / 2;
    return {bytes, static_cast<int>(kCopyBytes / bytes)};
  }
  if (point.text("level") == "l2") return {kCachedBytes / 2, kCachedCopyPasses};
  return {kCopyBytes, 1};
}

// Its rate counts what is read and what is written.
PointResult measure_copy(State& state, const Point& point) {
  const CopySize size = copy_size(point);
  const PeerLoad work{.source = state.source.data(),
                      .target = state.copied.data(),
                      .bytes = static_cast<std::size_t>(size.bytes),
                      .form = kernels::LoadForm::strided,
                      .width = 16,
                      .cta_count = cta_count(point, state.lab) * kCopyCtasPerSm,
                      .threads_per_cta = kCopyThreads,
                      .passes = size.passes};
  const auto copy = [&](int, int) { launch_peer_load(work, state.lab.gpus().stream(0)); };
  state.copied.fill(kPoison);
  kernels::cuda_check(cudaSetDevice(0));
  copy(0, 0);
  state.lab.gpus().synchronize();
  const auto found = state.copied.download(0, work.bytes / 16);
  if (kernels::wrong_vectors({&found.front().x, found.size() * 4}, kStamp, 0) > 0)
    throw DeviceError("bulk load: the plain copy is not its source");
  PointResult result;
  result.bytes_moved = bytes_moved(work);
  return result.add(
      "rate_gb_per_s",
      rates_gb_per_s(result.bytes_moved, state.lab.aligned_latency(1, "peer_load_kernel", copy)));
}

Point load(const char* level, const char* ctas, std::int64_t stages, std::int64_t bytes) {
  return Point{}
      .with("kind", "bulk")
      .with("level", level)
      .with("ctas", ctas)
      .with("stages", stages)
      .with("block_bytes", bytes);
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> all;
  for (const char* level : {"l2", "hbm"}) {
    for (const std::int64_t bytes : {2048, 4096, 7168, 8192, 14336})
      for (const std::int64_t stages : {1, 2, 3, 6})
        for (const char* ctas : {"1", "all"}) all.push_back(load(level, ctas, stages, bytes));
    for (const char* ctas : {"4", "16", "32", "64"})
      for (const std::int64_t stages : {1, 3}) all.push_back(load(level, ctas, stages, 14336));
    all.push_back(Point{}.with("kind", "copy").with("level", level).with("ctas", "all"));
  }
  // Where copies fall from L2's rate to HBM's.
  for (const std::int64_t mebibytes : {8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256})
    all.push_back(
        Point{}.with("kind", "footprint").with("mebibytes", mebibytes).with("ctas", "all"));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) {
    return point.text("kind") == "bulk" ? measure_loads(*state, point)
                                        : measure_copy(*state, point);
  };
}

}  // namespace epsim::bulk_load
