// M3: what it costs when a stream itself writes words and waits for words.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/captured_graph.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/launch_records.hpp"
#include "kernels/device_array.hpp"
#include "kernels/micro/empty_kernel.cuh"
#include "kernels/micro/memop_batch.hpp"
#include "kernels/micro/signal_kernel.cuh"

namespace epsim::stream_memops {
namespace {

using kernels::MemopBatch;

constexpr std::size_t kCalls = kWarmups + kSamples;
constexpr std::int64_t kMostOperations = 16;
constexpr std::size_t kWordStride = 32;  // ints: each word has its own line of 128 bytes
constexpr int kWritten = 1;
// The wait is in place long before the word changes, and the change falls into another part of the
// waiter's polling period each time: steps of a prime number of ns over 10 us.
constexpr std::int64_t kWakeDelayNs = 80'000;
constexpr std::int64_t kWakeStepNs = 97;
constexpr std::int64_t kWakeSpanNs = 10'000;

struct State {
  explicit State(Lab& in)
      : lab(in),
        words(in.gpu_count(), kWordStride * std::size_t{kMostOperations + 1}),
        stamps(0, 2 * kCalls) {
    words.fill(0);
  }

  // Word `index` of GPU 0 or of its first peer.
  [[nodiscard]] int* word(bool is_peer, std::size_t index) {
    return words.on(is_peer ? 1 : 0).data() + index * kWordStride;
  }

  Lab& lab;
  kernels::Symmetric<int> words;
  kernels::DeviceArray<std::uint64_t> stamps;  // sent at, began at
  int wake_value = kWritten;                   // of the last word, which only wake-ups use
};

// Waits find their value already there: polling is not what they are to measure.
MemopBatch batch_of(State& state, const Point& point) {
  const bool is_peer = point.text("where") == "peer";
  MemopBatch batch;
  for (std::size_t i = 0; i < static_cast<std::size_t>(point.integer("count")); ++i) {
    if (point.text("op") == "write")
      batch.write(state.word(is_peer, i), kWritten);
    else
      batch.wait(state.word(is_peer, i), kWritten, point.text("flag") == "flush");
  }
  return batch;
}

// Leaves the words as the waits need them, and shows that the writes write.
void verify_writes(State& state, const Point& point, MemopBatch& batch) {
  kernels::DeviceArray<int>& words = state.words.on(point.text("where") == "peer" ? 1 : 0);
  const std::size_t count = static_cast<std::size_t>(point.integer("count"));
  const bool writes = point.text("op") == "write";
  std::vector<int> values(kWordStride * std::size_t{kMostOperations}, writes ? -1 : kWritten);
  words.upload(values);
  state.lab.gpus().synchronize();
  kernels::cuda_check(cudaSetDevice(0));
  batch.enqueue(state.lab.gpus().stream(0));
  state.lab.gpus().synchronize();
  values = words.download(0, values.size());
  for (std::size_t i = 0; i < count; ++i)
    if (values[i * kWordStride] != kWritten)
      throw DeviceError("a batch of stream memory operations left a word unwritten");
}

// End of the kernel before to start of the kernel after, over the batches between. With no batch it
// is the gap between two kernels: what the batches add is the difference. CUPTI records no memory
// operations, and an event's own time would add what an event costs.
PointResult measure_batches(State& state, const Point& point) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  const auto batches = point.integer("batches");
  MemopBatch batch;
  if (point.text("op") != "none") {
    batch = batch_of(state, point);
    verify_writes(state, point, batch);
  }
  kernels::cuda_check(cudaSetDevice(0));
  const auto enqueue = [&] {
    kernels::launch_empty({}, stream);
    for (std::int64_t i = 0; i < batches; ++i) batch.enqueue(stream);
    kernels::launch_empty({}, stream);
  };
  std::optional<CapturedGraph> graph;
  if (point.text("mode") == "graph") graph.emplace(stream, enqueue);
  const auto records = run_gated(state.lab, kCalls, 1, [&](std::size_t) {
    if (graph)
      graph->launch();
    else
      enqueue();
  });
  const auto launches = launches_of(records, "empty_kernel", 1, 2 * kCalls).front();
  std::vector<double> samples;
  for (std::size_t call = 0; call < kCalls; ++call)
    samples.push_back(gap_ns(launches[2 * call], launches[2 * call + 1]));
  return PointResult{}.add("batch_ns", without_warmups(std::move(samples)));
}

// A kernel sets the word that another stream waits for: from its store to the first instruction of
// the kernel behind the wait. Both are on GPU 0 and read one timer; the word may be a peer's.
PointResult measure_wake(State& state, const Point& point) {
  kernels::GpuSet& gpus = state.lab.gpus();
  int* const word =
      state.word(point.text("where") == "peer", static_cast<std::size_t>(kMostOperations));
  kernels::cuda_check(cudaSetDevice(0));
  for (std::size_t call = 0; call < kCalls; ++call) {
    ++state.wake_value;
    const std::int64_t step = static_cast<std::int64_t>(call) * kWakeStepNs % kWakeSpanNs;
    // The writer is queued first: whatever the streams share, it is ahead of the wait.
    kernels::launch_delayed_signal({.word = word,
                                    .value = state.wake_value,
                                    .delay_ns = kWakeDelayNs + step,
                                    .sent_at = state.stamps.data() + 2 * call},
                                   gpus.stream(0));
    MemopBatch{}
        .wait(word, state.wake_value, point.text("flag") == "flush")
        .enqueue(gpus.side_stream(0));
    kernels::launch_arrival({.began_at = state.stamps.data() + 2 * call + 1}, gpus.side_stream(0));
    kernels::cuda_check(cudaStreamSynchronize(gpus.stream(0)));
    kernels::cuda_check(cudaStreamSynchronize(gpus.side_stream(0)));
  }
  const std::vector<std::uint64_t> stamps = state.stamps.download();
  std::vector<double> samples;
  for (std::size_t call = 0; call < kCalls; ++call) {
    const std::uint64_t sent_at = stamps[2 * call], began_at = stamps[2 * call + 1];
    if (began_at < sent_at) throw DeviceError("a stream passed a wait before its word was written");
    samples.push_back(static_cast<double>(began_at - sent_at));
  }
  return PointResult{}.add("wake_ns", without_warmups(std::move(samples)));
}

PointResult measure(State& state, const Point& point) {
  if (point.text("flag") == "flush" && !kernels::can_flush_remote_writes(0))
    return unsupported_point();
  return point.text("op") == "wake" ? measure_wake(state, point) : measure_batches(state, point);
}

Point point_of(const char* op,
               const char* where,
               std::int64_t count,
               const char* flag = "default",
               const char* mode = "stream",
               std::int64_t batches = 1) {
  return Point{}
      .with("op", op)
      .with("where", where)
      .with("count", count)
      .with("flag", flag)
      .with("mode", mode)
      .with("batches", batches);
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  for (const char* mode : {"stream", "graph"})
    all.push_back(point_of("none", "local", 0, "default", mode, 0));
  for (const char* where : {"local", "peer"}) {
    if (std::string_view(where) == "peer" && gpus < 2) continue;
    for (const char* op : {"write", "wait"}) {
      for (const char* mode : {"stream", "graph"})
        for (const std::int64_t count : {1, 2, 4, 8, 16})
          all.push_back(point_of(op, where, count, "default", mode));
      if (std::string_view(op) == "wait")
        for (const std::int64_t count : {1, 4, 16})
          all.push_back(point_of(op, where, count, "flush"));
      all.push_back(point_of(op, where, 1, "default", "stream", 4));
    }
    for (const char* flag : {"default", "flush"}) all.push_back(point_of("wake", where, 1, flag));
  }
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::stream_memops
