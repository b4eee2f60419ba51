// CuptiSession: what the GPUs did, by CUPTI's activity records. The only door to CUPTI, which is
// not taken at its word: a dropped, zero, foreign or missing record is an error, never a number.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/gpu_record.hpp"

namespace epsim {

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

  // From now on, `watcher` is shown what each collect() returns, before its caller sees it.
  void watch(std::function<void(const std::vector<GpuRecord>&)> watcher) {
    watcher_ = std::move(watcher);
  }

  [[nodiscard]] static std::string version();

 private:
  std::int64_t not_before_ns_ = 0;  // no record of this collection may be older
  std::function<void(const std::vector<GpuRecord>&)> watcher_;
};

}  // namespace epsim
