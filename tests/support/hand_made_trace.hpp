// Hand-made traces: kernels and copies written down one by one, times in microseconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "traces/gpu_trace.hpp"

namespace epsim {

inline Instant at_us(double us) {
  return Instant{from_us(us)};
}

// Names that the built-in rules put where a test wants them.
inline constexpr std::string_view kComputeName = "nvjet_sm90_tst_128x128_NNT";
inline constexpr std::string_view kCommunicationName =
    "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)";
inline constexpr std::string_view kNotifyName =
    "void deep_ep::intranode::cached_notify_dispatch<4>(int const*)";

class HandMadeTrace {
 public:
  HandMadeTrace() {
    trace_.file = "hand_made.json";
    trace_.profiler = "Kineto";
    trace_.devices.push_back({.device = 0, .sm_count = 100, .name = "Test GPU"});
  }

  // Each gets the next correlation, from 1.
  GpuActivity& kernel(std::string_view name,
                      std::uint32_t stream,
                      double start,
                      double time,
                      std::uint32_t blocks = 10) {
    return add(name, stream, start, time, ActivityKind::kernel, blocks);
  }
  GpuActivity& copy(std::uint32_t stream, double start, double time) {
    return add("Memcpy DtoD (Device -> Device)", stream, start, time, ActivityKind::copy, 0);
  }

  // The host call that launched the activity with that correlation.
  void launch(std::uint64_t correlation, double start, double time) {
    call(HostCallKind::launch, correlation, start, time);
  }
  void call(HostCallKind kind, std::uint64_t correlation, double start, double time) {
    trace_.calls.push_back({.start = at_us(start),
                            .time = from_us(time),
                            .correlation = correlation,
                            .thread = 1,
                            .name = name_of("cudaCall"),
                            .kind = kind});
  }
  void range(std::string_view name, double start, double time) {
    trace_.ranges.push_back(
        {.start = at_us(start), .time = from_us(time), .thread = 1, .name = name_of(name)});
  }

  // In the order that readers promise.
  [[nodiscard]] GpuTrace take() {
    const auto order = [](auto key) {
      return [key](const auto& a, const auto& b) { return key(a) < key(b); };
    };
    std::stable_sort(
        trace_.activities.begin(), trace_.activities.end(), order([](const GpuActivity& a) {
          return std::tuple(a.start, a.stream, a.correlation);
        }));
    std::stable_sort(trace_.calls.begin(), trace_.calls.end(), order([](const HostCall& c) {
                       return std::tuple(c.start, c.correlation);
                     }));
    std::stable_sort(trace_.ranges.begin(), trace_.ranges.end(), order([](const TraceRange& r) {
                       return r.start;
                     }));
    return std::move(trace_);
  }

  GpuTrace& trace() { return trace_; }

 private:
  std::uint32_t name_of(std::string_view name) {
    const auto found = std::find(trace_.names.begin(), trace_.names.end(), name);
    const auto index = static_cast<std::uint32_t>(found - trace_.names.begin());
    if (found == trace_.names.end()) trace_.names.emplace_back(name);
    return index;
  }

  GpuActivity& add(std::string_view name,
                   std::uint32_t stream,
                   double start,
                   double time,
                   ActivityKind kind,
                   std::uint32_t blocks) {
    GpuActivity& activity = trace_.activities.emplace_back();
    activity.start = at_us(start);
    activity.time = from_us(time);
    activity.correlation = trace_.activities.size();
    activity.name = name_of(name);
    activity.stream = stream;
    activity.kind = kind;
    activity.grid = {blocks, 1, 1};
    activity.block = {128, 1, 1};
    return activity;
  }

  GpuTrace trace_;
};

}  // namespace epsim
