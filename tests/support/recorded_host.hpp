// RecordedHost: a GpuTrace written call by call, as a host makes them, in microseconds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "traces/gpu_trace.hpp"

namespace epsim {

class RecordedHost {
 public:
  RecordedHost() {
    trace_.file = "hand-made";
    trace_.devices.push_back({.device = 0, .sm_count = 132, .name = "GPU"});
  }

  // A kernel of 132 blocks, and the host call of 2 us that launched it.
  RecordedHost& launch(
      double called_us, std::uint32_t stream, const std::string& name, double start_us, double us) {
    const std::uint64_t correlation = call(HostCallKind::launch, called_us);
    GpuActivity& activity = trace_.activities.emplace_back();
    activity.start = Instant{from_us(start_us)};
    activity.time = from_us(us);
    activity.correlation = correlation;
    activity.grid = {132, 1, 1};
    activity.block = {384, 1, 1};
    activity.registers = 168;
    activity.stream = stream;
    activity.name = name_of(name);
    return *this;
  }
  RecordedHost& record(double called_us) {
    last_record_ = call(HostCallKind::event_record, called_us);
    return *this;
  }
  RecordedHost& wait(double called_us) {
    last_wait_ = call(HostCallKind::event_wait, called_us);
    return *this;
  }
  RecordedHost& synchronize(double called_us) {
    call(HostCallKind::synchronize, called_us);
    return *this;
  }
  // The dump tells the last wait: of `stream`, for the last record, on `record_stream`.
  RecordedHost& tell(std::uint32_t stream, std::uint32_t record_stream) {
    trace_.waits.push_back({.wait_correlation = last_wait_,
                            .record_correlation = last_record_,
                            .device = 0,
                            .stream = stream,
                            .record_stream = record_stream});
    return *this;
  }
  RecordedHost& range(const std::string& name, double start_us, double end_us) {
    trace_.ranges.push_back({.start = Instant{from_us(start_us)},
                             .time = from_us(end_us - start_us),
                             .thread = 1,
                             .name = name_of(name)});
    return *this;
  }

  // In the order that readers promise.
  [[nodiscard]] GpuTrace trace() const {
    GpuTrace sorted = trace_;
    const auto by_start = [](const auto& a, const auto& b) { return a.start < b.start; };
    std::stable_sort(sorted.activities.begin(), sorted.activities.end(), by_start);
    std::stable_sort(sorted.calls.begin(), sorted.calls.end(), by_start);
    return sorted;
  }

 private:
  std::uint64_t call(HostCallKind kind, double called_us) {
    const std::uint64_t correlation = trace_.calls.size() + 1;
    trace_.calls.push_back({.start = Instant{from_us(called_us)},
                            .time = from_us(kind == HostCallKind::launch ? 2 : 0.5),
                            .correlation = correlation,
                            .thread = 1,
                            .name = name_of("call"),
                            .kind = kind});
    return correlation;
  }
  std::uint32_t name_of(const std::string& name) {
    const auto found = std::find(trace_.names.begin(), trace_.names.end(), name);
    if (found == trace_.names.end()) {
      trace_.names.push_back(name);
      return static_cast<std::uint32_t>(trace_.names.size() - 1);
    }
    return static_cast<std::uint32_t>(found - trace_.names.begin());
  }

  GpuTrace trace_;
  std::uint64_t last_record_ = 0, last_wait_ = 0;
};

}  // namespace epsim
