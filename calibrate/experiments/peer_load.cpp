// M6: at which rate a GPU pulls from a peer, by what a lane loads at once, and what the copy engine
// does of the same.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/cta_count.hpp"
#include "calibrate/experiments/cycle_samples.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/peer_load.cuh"
#include "kernels/micro/stamp_vectors.cuh"
#include "kernels/reference/stamp_reference.hpp"
#include "sim/base/check.hpp"

namespace epsim::peer_load {
namespace {

using kernels::LoadForm;
using kernels::PeerLoad;

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
constexpr std::int64_t kMostBytes = 64 * kMebibyte;
constexpr std::int64_t kNarrowBytes = 8 * kMebibyte;  // a lane that loads a byte is slow
constexpr std::int64_t kFewCtasBytes = 16 * kMebibyte;
constexpr std::size_t kCopiesPerGate = 20;
constexpr std::uint8_t kPoison = 0xa5;
constexpr std::uint32_t kStamp = 0x10ad0000;

// Rank r pulls from rank r + 1.
struct State {
  explicit State(Lab& in)
      : lab(in), sources(in.gpus(), kMostBytes / 16), targets(in.gpus(), kMostBytes / 16) {
    for (int rank = 0; rank < lab.gpu_count(); ++rank) {
      kernels::cuda_check(cudaSetDevice(rank));
      kernels::launch_stamp_vectors({.target = sources.on(rank).data(),
                                     .vector_count = sources.on(rank).size(),
                                     .stamp = kStamp + static_cast<std::uint32_t>(rank)},
                                    lab.gpus().stream(rank));
    }
    lab.gpus().synchronize();
  }
  [[nodiscard]] int source_of(int rank) const { return (rank + 1) % lab.gpu_count(); }

  Lab& lab;
  kernels::Symmetric<uint4> sources, targets;
};

using Launch = std::function<void(int rank)>;

void verify(State& state, int ranks, std::int64_t bytes, const Launch& launch) {
  state.targets.fill(kPoison);
  for (int rank = 0; rank < ranks; ++rank) launch(rank);
  state.lab.gpus().synchronize();
  const std::size_t vectors = static_cast<std::size_t>(bytes / 16);
  for (int rank = 0; rank < ranks; ++rank) {
    const auto found = state.targets.on(rank).download();
    const std::span<const std::uint32_t> words(&found.front().x, found.size() * 4);
    const std::uint32_t stamp = kStamp + static_cast<std::uint32_t>(state.source_of(rank));
    if (kernels::wrong_vectors(words.first(vectors * 4), stamp, 0) > 0)
      throw DeviceError("peer load: the target is not what its source holds");
    if (kernels::touched_vectors(words.subspan(vectors * 4), kPoison) > 0)
      throw DeviceError("peer load: something was written behind the target's end");
  }
}

PointResult measure_copy_engine(State& state, std::int64_t bytes) {
  const std::size_t size = static_cast<std::size_t>(bytes);
  const Launch launch = [&](int rank) {
    const int source = state.source_of(rank);
    kernels::cuda_check(cudaSetDevice(rank));
    kernels::cuda_check(cudaMemcpyPeerAsync(state.targets.on(rank).data(),
                                            rank,
                                            state.sources.on(source).data(),
                                            source,
                                            size,
                                            state.lab.gpus().stream(rank)));
  };
  verify(state, 1, bytes, launch);
  const auto records =
      run_gated(state.lab, kWarmups + kSamples, kCopiesPerGate, [&](std::size_t) { launch(0); });
  std::vector<double> durations;
  for (const GpuRecord& record : records)
    if (record.activity == GpuRecordKind::copy) durations.push_back(duration_ns(record));
  if (durations.size() != kWarmups + kSamples)
    throw DeviceError("peer load: the recorder shows " + std::to_string(durations.size()) +
                      " copies, not one for each that was queued");
  PointResult result;
  result.bytes_moved = bytes;
  return result.add("rate_gb_per_s", rates_gb_per_s(bytes, without_warmups(std::move(durations))));
}

// bytes_moved and the rate are those of one pulling GPU, in one direction.
PointResult measure_kernel(State& state, const Point& point, std::int64_t bytes) {
  const bool is_byte_form = point.text("form") == "byte_per_thread";
  const int ranks = point.text("pattern") == "ring" ? state.lab.gpu_count() : 1;
  const PeerLoad shape{.source = nullptr,
                       .target = nullptr,
                       .bytes = static_cast<std::size_t>(bytes),
                       .form = is_byte_form ? LoadForm::byte_per_thread : LoadForm::strided,
                       .width = static_cast<int>(point.integer("width")),
                       .cta_count = is_byte_form ? 0 : cta_count(point, state.lab),
                       .threads_per_cta = static_cast<int>(point.integer("threads")),
                       .passes = 1};
  const Launch launch = [&](int rank) {
    PeerLoad work = shape;
    work.source = state.sources.on(state.source_of(rank)).data();
    work.target = state.targets.on(rank).data();
    kernels::cuda_check(cudaSetDevice(rank));
    launch_peer_load(work, state.lab.gpus().stream(rank));
  };
  verify(state, ranks, bytes, launch);
  const auto latencies =
      state.lab.aligned_latency(ranks, "peer_load_kernel", [&](int rank, int) { launch(rank); });
  PointResult result;
  result.bytes_moved = bytes;
  return result.add("rate_gb_per_s", rates_gb_per_s(bytes, latencies));
}

PointResult measure(State& state, const Point& point) {
  const std::int64_t bytes = point.integer("bytes");
  check(bytes <= kMostBytes, "a point fits the buffers");
  return point.text("form") == "copy_engine" ? measure_copy_engine(state, bytes)
                                             : measure_kernel(state, point, bytes);
}

Point strided(const char* pattern, const char* ctas, std::int64_t width, std::int64_t bytes) {
  return Point{}
      .with("form", "strided")
      .with("pattern", pattern)
      .with("ctas", ctas)
      .with("threads", std::int64_t{1024})
      .with("width", width)
      .with("bytes", bytes);
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> all;
  for (const char* ctas : {"1", "4", "8", "16", "32", "64"})
    all.push_back(strided("peer", ctas, 16, kFewCtasBytes));
  all.push_back(strided("peer", "all", 16, kMostBytes));
  for (const std::int64_t width : {1, 4})
    for (const char* ctas : {"8", "all"}) all.push_back(strided("peer", ctas, width, kNarrowBytes));
  for (const char* ctas : {"8", "32", "all"})
    all.push_back(strided("ring", ctas, 16, ctas[0] == 'a' ? kMostBytes : kFewCtasBytes));
  for (const char* pattern : {"peer", "ring"})
    all.push_back(Point{}
                      .with("form", "byte_per_thread")
                      .with("pattern", pattern)
                      .with("threads", std::int64_t{256})
                      .with("width", std::int64_t{1})
                      .with("bytes", kNarrowBytes));
  for (const std::int64_t bytes : {kMebibyte / 16, kMebibyte, 16 * kMebibyte, kMostBytes})
    all.push_back(Point{}.with("form", "copy_engine").with("bytes", bytes));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::peer_load
