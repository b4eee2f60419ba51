// recording_reader: what epsim's own runs on GPUs saw of them through CUPTI
// (`epsim calibrate run --recording FILE`).
//
// Format epsim.recording/1: JSON lines, plain or in gzip; keys in any order, no others. The first
// line says where it was recorded, `rank` and `rank_count` where there are several:
//
//   {"schema": "epsim.recording/1", "profiler": "CUPTI 26",
//    "devices": [{"device": 0, "name": "NVIDIA H200", "sm_count": 132}], "rank": 0, "rank_count":
//    4}
//
// Each line after it is one thing that a GPU did, of kind `kernel`, `copy` or `fill`, or a wait of
// the host, of kind `synchronize`, which has times, and a correlation, alone:
//
//   {"kind": "kernel", "start_ns": 1700000000000000000, "end_ns": 1700000000000004242,
//    "device": 0, "stream": 7, "correlation": 12, "name": "gemm(float*)", "grid": [132, 1, 1],
//    "block": [256, 1, 1], "shared_memory_bytes": 49152, "registers": 168, "graph_node": 0}
//   {"kind": "copy", ..., "correlation": 13, "bytes": 4096}
//
// `start_ns` and `end_ns` are of one clock, nanoseconds; `correlation` is that of the host call
// that queued it. Times, and of a GPU's activity its device and stream, must be there; any other
// key may be missing. The last line counts those between, so that a recording cut short is told
// from one that is whole:
//
//   {"records": 2}
#pragma once

#include <string>
#include <string_view>

#include "traces/gpu_trace.hpp"

namespace epsim {

inline constexpr std::string_view kRecordingSchema = "epsim.recording/1";

// Throws InputError that names file and line. A recording without its last line is read as far as
// it goes, with a warning.
[[nodiscard]] GpuTrace read_recording(const std::string& path);
// The same from its bytes; `name` stands for the file in messages.
[[nodiscard]] GpuTrace parse_recording(std::string_view bytes, const std::string& name);

// Whether a file whose inflated text begins so is a recording.
[[nodiscard]] bool begins_as_recording(std::string_view first_bytes);

}  // namespace epsim
