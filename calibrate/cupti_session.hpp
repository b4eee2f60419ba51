// CuptiSession: what the GPUs did, by CUPTI's activity records. The only door to CUPTI, which is
// not taken at its word: a dropped, zero, foreign or missing record is an error, never a number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace epsim {

enum class GpuActivity : std::uint8_t { kernel, copy, fill, synchronization, overhead };

// One record. Times are of the host's clock, nanoseconds: CUPTI translates each GPU's own.
struct GpuRecord {
  GpuActivity activity;
  int gpu = 0;
  std::uint32_t stream = 0;
  std::uint32_t correlation = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::string name;  // a kernel's demangled name; empty for others
};

// At most one at a time in a process. Recording lasts as long as it lives.
class CuptiSession {
 public:
  CuptiSession();
  ~CuptiSession();
  CuptiSession(const CuptiSession&) = delete;
  CuptiSession& operator=(const CuptiSession&) = delete;

  // Records since the last call, in order of their start. All work must have been synchronised.
  // Throws DeviceError when records were dropped, have no times, end before they start, began
  // before the last call, or share a correlation id that should be unique.
  [[nodiscard]] std::vector<GpuRecord> collect();

  [[nodiscard]] static std::string version();  // "26"
};

// Durations of `launches` launches of kernels whose name contains `kernel`, per GPU in launch
// order. result[gpu][i]. Throws DeviceError unless every GPU shows exactly `launches` of them.
[[nodiscard]] std::vector<std::vector<GpuRecord>> launches_of(const std::vector<GpuRecord>& records,
                                                              std::string_view kernel,
                                                              int gpu_count,
                                                              std::size_t launches);

// Aligned latency of launch i: last start to last end over the GPUs, ns.
[[nodiscard]] std::vector<double> aligned_latency_ns(
    const std::vector<std::vector<GpuRecord>>& by_gpu);

}  // namespace epsim
