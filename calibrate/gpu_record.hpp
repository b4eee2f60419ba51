// GpuRecord: one thing that a GPU did, and when, as a profiler saw it.
#pragma once

#include <cstdint>
#include <string>

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

}  // namespace epsim
