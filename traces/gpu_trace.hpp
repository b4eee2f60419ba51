// GpuTrace: a profiler dump in our words: what ran on which stream of which GPU, when, and what the
// host did to make it run. One dump is one process; several ranks are several traces.
//
// Times count from `epoch_ns`, the profiler's own time of the trace's first activity, so that whole
// picoseconds hold them. Readers keep what ran on a GPU and the host calls behind it; operators of
// a framework, Python frames and counters are read past.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace epsim {

enum class ActivityKind : std::uint8_t { kernel, copy, fill };
inline constexpr std::array<std::string_view, 3> kActivityKindNames = {"kernel", "copy", "fill"};

// One kernel, memory copy or memory fill. A field that the dump does not tell is 0.
struct GpuActivity {
  Instant start;
  Duration time;
  std::uint64_t correlation = 0;  // of the host call that launched it
  std::uint64_t graph_node = 0;   // node of a CUDA graph
  std::int64_t bytes = 0;         // copy, fill
  std::array<std::uint32_t, 3> grid{}, block{};
  std::uint32_t shared_memory = 0;  // bytes of a block, static and dynamic
  std::uint32_t name = 0;           // index into GpuTrace::names
  std::uint32_t device = 0;         // the profiler's number of the GPU
  std::uint32_t stream = 0;         // the profiler's number of the stream
  std::uint16_t registers = 0;      // of a thread
  ActivityKind kind = ActivityKind::kernel;

  [[nodiscard]] Instant end() const { return start + time; }
  [[nodiscard]] std::uint64_t block_count() const {
    return std::uint64_t{grid[0]} * grid[1] * grid[2];
  }
};

enum class HostCallKind : std::uint8_t {
  launch,        // of a kernel, copy, fill or graph: has its correlation
  event_record,  // an event takes its place in a stream
  event_wait,    // a stream waits for an event
  synchronize,   // the host waits for an event, a stream or the device
};

// One call of the CUDA or HIP runtime or driver, by one host thread.
struct HostCall {
  Instant start;
  Duration time;
  std::uint64_t correlation = 0;
  std::uint64_t thread = 0;
  std::uint32_t name = 0;
  HostCallKind kind = HostCallKind::launch;
};

// A wait between streams that the dump itself tells (Kineto's cuda_sync records, Nsight's
// synchronisation table). Most dumps have none.
struct StreamWait {
  std::uint64_t wait_correlation = 0;    // of the call that made the stream wait
  std::uint64_t record_correlation = 0;  // of the event's record; 0 when it is not told
  std::uint32_t device = 0;
  std::uint32_t stream = 0;         // that waits
  std::uint32_t record_stream = 0;  // that it waits for
};

// A named stretch: NVTX, user annotations, profiler steps.
struct TraceRange {
  Instant start;
  Duration time;
  std::uint64_t thread = 0;
  std::uint32_t name = 0;
};

struct TraceDevice {
  std::uint32_t device = 0;
  std::uint32_t sm_count = 0;  // 0: not told
  std::string name;
};

// What a reader left out or mended, and how often: shown with every result.
struct TraceWarning {
  std::string what;   // "kernels with a negative duration dropped"
  std::string where;  // of the first: "byte 1234", "row 17 of CUPTI_ACTIVITY_KIND_KERNEL"
  std::uint64_t count = 0;
};

struct GpuTrace {
  std::string file;
  std::string profiler;  // "Kineto", "Nsight Systems 2024.5", "epsim"
  std::int64_t epoch_ns = 0;
  std::optional<std::uint32_t> rank, rank_count;
  std::vector<TraceDevice> devices;
  std::vector<std::string> names;  // each once

  std::vector<GpuActivity> activities;  // by start, then stream, then correlation
  std::vector<HostCall> calls;          // by start, then correlation
  std::vector<StreamWait> waits;
  std::vector<TraceRange> ranges;  // by start
  std::vector<TraceWarning> warnings;
};

// Reads a dump of any kind, told apart by its first bytes. Throws InputError that names the file
// and the byte or row.
[[nodiscard]] GpuTrace read_gpu_trace(const std::string& path);

}  // namespace epsim
