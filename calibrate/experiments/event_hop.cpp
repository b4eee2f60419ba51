// M2: what an edge costs that the stream or the host carries: an event between two streams, and the
// ways in which a host learns that a kernel is done.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/flag_watcher.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/launch_records.hpp"
#include "kernels/device_array.hpp"
#include "kernels/micro/empty_kernel.cuh"
#include "kernels/micro/signal_kernel.cuh"

namespace epsim::event_hop {
namespace {

using Clock = FlagWatcher::Clock;

constexpr std::size_t kCalls = kWarmups + kSamples;
constexpr std::size_t kLongestChain = 16;
// The host is asleep in its call, or has long queued its callback, when the kernel ends.
constexpr std::int64_t kKernelNs = 50'000;

class Event {
 public:
  Event(int gpu, unsigned flags) {
    kernels::cuda_check(cudaSetDevice(gpu));
    kernels::cuda_check(cudaEventCreateWithFlags(&event_, flags));
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  [[nodiscard]] cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

struct State {
  explicit State(Lab& in)
      : lab(in),
        flag(1),
        spinning(0, cudaEventDisableTiming),
        blocking(0, cudaEventDisableTiming | cudaEventBlockingSync),
        began_at(0, 1) {
    // Events of hop i belong to the GPU that records them: even hops leave GPU 0.
    for (std::size_t hop = 0; hop < kLongestChain; ++hop) {
      same_gpu_events.emplace_back(0, cudaEventDisableTiming);
      if (lab.gpu_count() >= 2)
        peer_events.emplace_back(hop % 2 == 0 ? 0 : 1, cudaEventDisableTiming);
    }
  }

  Lab& lab;
  kernels::PinnedArray<int> flag;
  int flag_value = 0;
  std::vector<Event> same_gpu_events, peer_events;
  Event spinning, blocking;
  kernels::DeviceArray<std::uint64_t> began_at;
};

double nanoseconds(Clock::duration elapsed) {
  return std::chrono::duration<double, std::nano>(elapsed).count();
}

// Kernel, event, kernel on the other stream, event, back, and so on. On two GPUs an even number of
// hops makes the difference of their clocks cancel in the mean.
PointResult measure_hops(State& state, std::size_t hops, bool is_peer) {
  kernels::GpuSet& gpus = state.lab.gpus();
  const cudaStream_t streams[] = {gpus.stream(0), is_peer ? gpus.stream(1) : gpus.side_stream(0)};
  const int gpu_of[] = {0, is_peer ? 1 : 0};
  const std::vector<Event>& events = is_peer ? state.peer_events : state.same_gpu_events;
  const auto records = run_gated(state.lab, kCalls, 1, [&](std::size_t) {
    kernels::launch_empty({}, streams[0]);
    for (std::size_t hop = 0; hop < hops; ++hop) {
      kernels::cuda_check(cudaEventRecord(events[hop].get(), streams[hop % 2]));
      kernels::cuda_check(cudaSetDevice(gpu_of[(hop + 1) % 2]));
      kernels::cuda_check(cudaStreamWaitEvent(streams[(hop + 1) % 2], events[hop].get(), 0));
      kernels::launch_empty({}, streams[(hop + 1) % 2]);
    }
  });
  std::vector<GpuRecord> by_gpu[2];
  for (const GpuRecord& record : records)
    if (record.name.find("empty_kernel") != std::string::npos)
      by_gpu[is_peer ? record.gpu : 0].push_back(record);
  const std::size_t launches = kCalls * (hops + 1);
  if (by_gpu[0].size() + by_gpu[1].size() != launches)
    throw DeviceError("the recorder lost kernels of a chain of events");
  std::size_t next[2] = {0, 0};
  std::vector<double> samples;
  for (std::size_t call = 0; call < kCalls; ++call) {
    std::vector<GpuRecord> chain;
    for (std::size_t k = 0; k <= hops; ++k) {
      const std::size_t gpu = is_peer ? k % 2 : 0;
      chain.push_back(by_gpu[gpu].at(next[gpu]++));
    }
    samples.push_back(mean_gap_ns(chain));
  }
  return PointResult{}.add("hop_ns", without_warmups(std::move(samples)));
}

// A kernel that writes the watched word and ends; `after_launch` waits for it or queues more.
template <typename AfterLaunch>
void signal_once(State& state, FlagWatcher& watcher, std::int64_t delay_ns, AfterLaunch after) {
  watcher.expect(++state.flag_value);
  kernels::launch_delayed_signal({.word = state.flag.data(),
                                  .value = state.flag_value,
                                  .delay_ns = delay_ns,
                                  .sent_at = nullptr},
                                 state.lab.gpus().stream(0));
  after();
}

void query_until_done(cudaStream_t stream) {
  for (;;) {
    const cudaError_t status = cudaStreamQuery(stream);
    if (status == cudaSuccess) return;
    if (status != cudaErrorNotReady) kernels::cuda_check(status);
  }
}

// From the kernel's last store, as a thread that polls sees it, to the return of the host's call.
// Both cross the same bus, so what is left is the kernel's end and the call's own waking.
PointResult measure_return(State& state, const std::string& form) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  FlagWatcher watcher(state.flag.data());
  std::vector<double> samples;
  for (std::size_t call = 0; call < kCalls; ++call) {
    Clock::time_point returned;
    signal_once(state, watcher, kKernelNs, [&] {
      if (form == "stream_sync") {
        kernels::cuda_check(cudaStreamSynchronize(stream));
      } else if (form == "stream_query") {
        query_until_done(stream);
      } else {
        const Event& event = form == "event_sync" ? state.spinning : state.blocking;
        kernels::cuda_check(cudaEventRecord(event.get(), stream));
        kernels::cuda_check(cudaEventSynchronize(event.get()));
      }
      returned = Clock::now();
    });
    samples.push_back(nanoseconds(returned - watcher.seen()));
  }
  return PointResult{}.add("sync_return_ns", without_warmups(std::move(samples)));
}

// From before the launch call on an idle GPU to its kernel's store as the host sees it.
PointResult measure_launch(State& state) {
  FlagWatcher watcher(state.flag.data());
  std::vector<double> samples;
  for (std::size_t call = 0; call < kCalls; ++call) {
    const Clock::time_point begin = Clock::now();
    signal_once(state, watcher, 0, [] {});
    samples.push_back(nanoseconds(watcher.seen() - begin));
    state.lab.gpus().synchronize();
    kernels::cuda_check(cudaSetDevice(0));
  }
  return PointResult{}.add("launch_to_flag_ns", without_warmups(std::move(samples)));
}

void CUDART_CB note_time(void* when) {
  *static_cast<Clock::time_point*>(when) = Clock::now();
}

// How late the callback runs, and how long it keeps the stream from its next kernel.
PointResult measure_host_function(State& state) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  FlagWatcher watcher(state.flag.data());
  std::vector<double> called, gaps;
  (void)state.lab.cupti().collect();
  for (std::size_t call = 0; call < kCalls; ++call) {
    Clock::time_point when;
    signal_once(state, watcher, kKernelNs, [&] {
      kernels::cuda_check(cudaLaunchHostFunc(stream, note_time, &when));
      kernels::launch_arrival({.began_at = state.began_at.data()}, stream);
      kernels::cuda_check(cudaStreamSynchronize(stream));
    });
    called.push_back(nanoseconds(when - watcher.seen()));
  }
  const auto records = state.lab.cupti().collect();
  const auto before = launches_of(records, "signal_kernel", 1, kCalls).front();
  const auto after = launches_of(records, "arrival_kernel", 1, kCalls).front();
  for (std::size_t call = 0; call < kCalls; ++call)
    gaps.push_back(gap_ns(before[call], after[call]));
  return PointResult{}
      .add("host_function_ns", without_warmups(std::move(called)))
      .add("host_function_gap_ns", without_warmups(std::move(gaps)));
}

PointResult measure(State& state, const Point& point) {
  const std::string& form = point.text("form");
  state.lab.gpus().synchronize();
  kernels::cuda_check(cudaSetDevice(0));
  if (form == "event" || form == "peer_event")
    return measure_hops(
        state, static_cast<std::size_t>(point.integer("chain")), form == "peer_event");
  if (form == "launch") return measure_launch(state);
  if (form == "host_function") return measure_host_function(state);
  return measure_return(state, form);
}

}  // namespace

std::vector<Point> points(int gpus) {
  std::vector<Point> all;
  for (const std::int64_t chain : {1, 2, 4, 8, 16})
    all.push_back(Point{}.with("form", "event").with("chain", chain));
  if (gpus >= 2)
    for (const std::int64_t chain : {2, 4, 16})
      all.push_back(Point{}.with("form", "peer_event").with("chain", chain));
  for (const char* form : {"stream_sync",
                           "stream_query",
                           "event_sync",
                           "event_blocking_sync",
                           "host_function",
                           "launch"})
    all.push_back(Point{}.with("form", form));
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(lab);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::event_hop
