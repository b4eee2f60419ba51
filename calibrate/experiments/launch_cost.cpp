// M1: what a launch costs. Empty kernels of every form, one after the other, in a stream or a
// graph.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calibrate/device_error.hpp"
#include "calibrate/experiments/captured_graph.hpp"
#include "calibrate/experiments/experiments.hpp"
#include "calibrate/experiments/gated_calls.hpp"
#include "calibrate/launch_records.hpp"
#include "kernels/device_array.hpp"
#include "kernels/micro/empty_kernel.cuh"

namespace epsim::launch_cost {
namespace {

using kernels::CtaStamp;
using kernels::EmptyLaunch;

constexpr int kLargeCtas = 128;                      // a low-latency kernel: 256 experts in pairs
constexpr int kLargeSharedBytes = 205 * 1024;        // what their bulk-copy stages take
constexpr std::int64_t kStreamChain = 16;            // enough for a steady gap
constexpr std::size_t kCalls = kWarmups + kSamples;  // a call is one chain
// Two graphs behind a gate show the gap between graphs, and stay far from a full queue.
constexpr std::size_t kGraphsPerGate = 2;

struct State {
  Lab& lab;
  int most_shared_bytes = 0;
  kernels::DeviceArray<CtaStamp> stamps;
};

// Nothing where the device cannot do that form.
std::optional<EmptyLaunch> form_of(const std::string& kernel, const State& state) {
  const int sm_count = state.lab.gpus().sm_count();
  const bool is_large = kernel == "large" || kernel == "large_cooperative";
  const bool is_cooperative = kernel == "cooperative" || kernel == "large_cooperative";
  if (kernel == "plain") return EmptyLaunch{};
  EmptyLaunch form{.cta_count = sm_count, .thread_count = 1024, .cooperative = is_cooperative};
  if (kernel == "cluster2") {
    form.cluster_size = 2;
    form.cta_count = sm_count / 2 * 2;
  }
  if (is_large) {
    form.cta_count = kLargeCtas;
    form.shared_bytes = kLargeSharedBytes;
    if (kLargeSharedBytes > state.most_shared_bytes) return std::nullopt;
    if (is_cooperative && kLargeCtas > sm_count) return std::nullopt;
  }
  return form;
}

// What the recorder says of chains: means over the kernels of each.
void add_chains(const std::vector<GpuRecord>& launches, std::size_t chain, PointResult& result) {
  std::vector<double> durations, gaps, spans;
  for (std::size_t call = 0; call < launches.size() / chain; ++call) {
    const auto kernels_of_call = std::span(launches).subspan(call * chain, chain);
    double sum = 0;
    for (const GpuRecord& record : kernels_of_call) sum += duration_ns(record);
    durations.push_back(sum / static_cast<double>(chain));
    spans.push_back(
        static_cast<double>(kernels_of_call.back().end_ns - kernels_of_call.front().start_ns));
    if (chain > 1) gaps.push_back(mean_gap_ns(kernels_of_call));
  }
  result.add("kernel_ns", without_warmups(std::move(durations)));
  result.add("span_ns", without_warmups(std::move(spans)));
  if (chain > 1) result.add("gap_ns", without_warmups(std::move(gaps)));
}

// Time of the host in `enqueue`, over `launches` launches.
template <typename Enqueue>
double host_ns(std::size_t launches, Enqueue enqueue) {
  const auto begin = std::chrono::steady_clock::now();
  enqueue();
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
  return elapsed.count() / static_cast<double>(launches);
}

struct Interval {
  double first, last;
  double spread;  // of the CTAs' first instructions
};
Interval interval_of(std::span<const CtaStamp> ctas) {
  const auto [earliest, latest] = std::minmax_element(
      ctas.begin(), ctas.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  const auto last = std::max_element(
      ctas.begin(), ctas.end(), [](const auto& a, const auto& b) { return a.last < b.last; });
  return {static_cast<double>(earliest->first),
          static_cast<double>(last->last),
          static_cast<double>(latest->first - earliest->first)};
}

// The same chain of kernels that stamp their own begin and end. CUPTI's clock and the GPU's timer
// are only compared as lengths.
void add_stamps(State& state, EmptyLaunch form, std::size_t chain, PointResult& result) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  const std::size_t ctas = static_cast<std::size_t>(form.cta_count);
  const std::size_t calls = (kCalls + chain - 1) / chain;
  state.stamps.fill(0);
  const auto records = run_gated(state.lab, calls, 1, [&](std::size_t call) {
    for (std::size_t i = 0; i < chain; ++i) {
      form.stamps = state.stamps.data() + (call * chain + i) * ctas;
      kernels::launch_empty(form, stream);
    }
  });
  const auto launches = launches_of(records, "stamped_kernel", 1, calls * chain).front();
  const std::vector<CtaStamp> stamps = state.stamps.download(0, launches.size() * ctas);
  std::vector<double> outside, spread, gaps;
  std::optional<Interval> before;
  for (std::size_t i = 0; i < launches.size(); ++i) {
    const auto of_launch = std::span(stamps).subspan(i * ctas, ctas);
    for (const CtaStamp& stamp : of_launch)
      if (stamp.first == 0 || stamp.last < stamp.first)
        throw DeviceError("a CTA of a stamped kernel left no stamp");
    const Interval work = interval_of(of_launch);
    if (i % chain == 0) before.reset();
    if (i >= launches.size() - kSamples) {
      outside.push_back(duration_ns(launches[i]) - (work.last - work.first));
      spread.push_back(work.spread);
      if (before) gaps.push_back(work.first - before->last);
    }
    before = work;
  }
  result.add("outside_ns", std::move(outside));
  result.add("start_spread_ns", std::move(spread));
  if (!gaps.empty()) result.add("work_gap_ns", std::move(gaps));
}

PointResult measure_stream(State& state, const EmptyLaunch& form, std::size_t chain) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  std::vector<double> enqueue;
  const auto records = run_gated(state.lab, kCalls, 1, [&](std::size_t) {
    enqueue.push_back(host_ns(chain, [&] {
      for (std::size_t i = 0; i < chain; ++i) kernels::launch_empty(form, stream);
    }));
  });
  PointResult result;
  add_chains(launches_of(records, "empty_kernel", 1, kCalls * chain).front(), chain, result);
  result.add("enqueue_ns", without_warmups(std::move(enqueue)));
  add_stamps(state, form, chain, result);
  return result;
}

PointResult measure_graph(State& state, const EmptyLaunch& form, std::size_t chain) {
  const cudaStream_t stream = state.lab.gpus().stream(0);
  kernels::cuda_check(cudaSetDevice(0));
  const CapturedGraph graph(stream, [&] {
    for (std::size_t i = 0; i < chain; ++i) kernels::launch_empty(form, stream);
  });
  std::vector<double> enqueue;
  const auto records = run_gated(state.lab, kCalls, kGraphsPerGate, [&](std::size_t) {
    enqueue.push_back(host_ns(1, [&] { graph.launch(); }));
  });
  const auto launches = launches_of(records, "empty_kernel", 1, kCalls * chain).front();
  std::vector<double> between;
  for (std::size_t call = 1; call < kCalls; call += kGraphsPerGate)
    between.push_back(gap_ns(launches[call * chain - 1], launches[call * chain]));
  PointResult result;
  add_chains(launches, chain, result);
  result.add("graph_gap_ns", without_warmups(std::move(between), kWarmups / kGraphsPerGate));
  result.add("graph_enqueue_ns", without_warmups(std::move(enqueue)));
  return result;
}

PointResult measure(State& state, const Point& point) {
  const std::optional<EmptyLaunch> form = form_of(point.text("kernel"), state);
  if (!form) return unsupported_point();
  kernels::cuda_check(cudaSetDevice(0));
  kernels::prepare_empty(*form);
  const std::size_t chain = static_cast<std::size_t>(point.integer("chain"));
  return point.text("mode") == "stream" ? measure_stream(state, *form, chain)
                                        : measure_graph(state, *form, chain);
}

}  // namespace

std::vector<Point> points(int) {
  std::vector<Point> all;
  const auto add = [&](const char* kernel, const char* mode, std::int64_t chain) {
    all.push_back(Point{}.with("kernel", kernel).with("mode", mode).with("chain", chain));
  };
  for (const std::int64_t chain : {1, 2, 4, 8, 16, 32, 64}) add("plain", "graph", chain);
  add("plain", "stream", 1);
  add("plain", "stream", kStreamChain);
  for (const char* kernel : {"full", "cooperative", "cluster2", "large", "large_cooperative"}) {
    add(kernel, "stream", kStreamChain);
    add(kernel, "graph", kStreamChain);
  }
  return all;
}

Bench open(Lab& lab) {
  auto state = std::make_shared<State>(State{lab, 0, {}});
  kernels::cuda_check(cudaDeviceGetAttribute(
      &state->most_shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  const std::size_t ctas = static_cast<std::size_t>(std::max(kLargeCtas, lab.gpus().sm_count()));
  // The last chain may reach past the last call that counts.
  const std::size_t launches = kCalls + static_cast<std::size_t>(kStreamChain);
  state->stamps = kernels::DeviceArray<CtaStamp>(0, launches * ctas);
  return [state](const Point& point) { return measure(*state, point); };
}

}  // namespace epsim::launch_cost
