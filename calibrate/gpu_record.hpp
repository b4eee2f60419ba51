// GpuRecord: one thing that a GPU did, and when, as a profiler saw it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace epsim {

enum class GpuRecordKind : std::uint8_t { kernel, copy, fill, synchronization, overhead };

// One record. Times are of the host's clock, nanoseconds: CUPTI translates each GPU's own.
struct GpuRecord {
  GpuRecordKind activity;
  int gpu = 0;
  std::uint32_t stream = 0;
  std::uint32_t correlation = 0;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::string name = {};  // a kernel's demangled name; empty for others
  std::array<std::uint32_t, 3> grid = {}, block = {};  // of a kernel, as the next two
  std::uint32_t shared_memory_bytes = 0;               // of a block, static and dynamic
  std::uint32_t registers = 0;                         // of a thread
  std::int64_t bytes = 0;                              // of a copy or fill
  std::uint64_t graph_node = 0;                        // 0: not in a graph
};

}  // namespace epsim
