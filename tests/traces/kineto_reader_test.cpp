#include "traces/kineto_reader.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace epsim;

namespace {

// A dump with these events.
GpuTrace trace_of(const std::string& events) {
  return parse_kineto("{\"schemaVersion\": 1, \"traceEvents\": [" + events + "]}", "dump");
}

// A kernel with what `more` adds to its members.
std::string kernel(const std::string& more = "") {
  return R"({"ph": "X", "cat": "kernel", "name": "gemm", "pid": 0, "tid": 7, )" +
         (more.empty() ? R"("ts": 10.000, "dur": 2.500)" : more) +
         R"(, "args": {"device": 0, "stream": 7, "correlation": 5}})";
}

std::vector<std::string> warnings_of(const GpuTrace& trace) {
  std::vector<std::string> warnings;
  for (const TraceWarning& warning : trace.warnings)
    warnings.push_back(std::to_string(warning.count) + " " + warning.what + " (" + warning.where +
                       ")");
  return warnings;
}

// As PyTorch 2 writes it.
constexpr std::string_view kDump = R"json({
  "schemaVersion": 1,
  "deviceProperties": [
    {"id": 0, "name": "NVIDIA H200", "numSms": 132}, {"id": 1, "name": "NVIDIA H200", "numSms": 132}],
  "distributedInfo": {"backend": "nccl", "rank": 3, "world_size": 4, "pg_config": [{"ranks": [0, 1]}]},
  "baseTimeNanoseconds": 1790857026000000000,
  "traceEvents": [
  {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 9, "tid": 9, "ts": 1.000, "dur": 50.000,
   "args": {"Input Dims": [[1, 2], []]}},
  {"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#5", "pid": 9, "tid": 9, "ts": 0.500, "dur": 99.000},
  {"ph": "X", "cat": "cuda_runtime", "name": "cudaStreamIsCapturing", "pid": 9, "tid": 9, "ts": 1.500, "dur": 0.100,
   "args": {"correlation": 4}},
  {"ph": "X", "cat": "cuda_driver", "name": "cuLaunchKernelEx", "pid": 9, "tid": 9, "ts": 2.000, "dur": 6.125,
   "args": {"External id": 1, "cbid": 652, "correlation": 5}},
  {"ph": "X", "cat": "kernel", "name": "void gemm<1>(\"a\\b\")", "pid": 1, "tid": 7, "ts": 20.001, "dur": 167.903,
   "args": {"External id": 1, "queued": 0, "device": 1, "context": 1, "stream": 7, "correlation": 5,
            "registers per thread": 168, "shared memory": 213188, "blocks per SM": 1.0,
            "grid": [2, 66, 1], "block": [384, 1, 1], "graph id": 3, "graph node id": 12884901890}},
  {"ph": "X", "cat": "gpu_memset", "name": "Memset (Device)", "pid": 1, "tid": 7, "ts": 15.000, "dur": 0.768,
   "args": {"device": 1, "stream": 7, "correlation": 6, "bytes": 4}},
  {"ph": "f", "id": 5, "pid": 1, "tid": 7, "ts": 20.001, "cat": "ac2g", "name": "ac2g", "bp": "e"},
  {"name": "process_name", "ph": "M", "ts": 1.0, "pid": 9, "tid": 0, "args": {"name": "python"}}
  ],
  "traceName": "x.json"
})json";

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Kineto reader: a dump of PyTorch 2 gives kernels, calls, ranges, ranks and devices") {
  const GpuTrace trace = parse_kineto(kDump, "dump");
  CHECK(trace.profiler == "Kineto");
  CHECK(trace.rank == 3);
  CHECK(trace.rank_count == 4);
  REQUIRE(trace.devices.size() == 2);
  CHECK(trace.devices[1].sm_count == 132);
  CHECK(trace.devices[1].name == "NVIDIA H200");
  CHECK(trace.warnings.empty());

  // Sorted by start: the fill comes first, and its 15.000 us is the epoch.
  CHECK(trace.epoch_ns == 1790857026000015000);
  REQUIRE(trace.activities.size() == 2);
  const GpuActivity& fill = trace.activities[0];
  CHECK(fill.kind == ActivityKind::fill);
  CHECK(fill.start == Instant{});
  CHECK(fill.time == from_ns(768));
  CHECK(fill.bytes == 4);
  const GpuActivity& gemm = trace.activities[1];
  CHECK(gemm.kind == ActivityKind::kernel);
  CHECK(trace.names[gemm.name] == R"(void gemm<1>("a\b"))");
  CHECK(gemm.start == Instant{from_ns(5001)});  // 20.001 - 15.000 us
  CHECK(gemm.time == from_ns(167903));
  CHECK(gemm.device == 1);
  CHECK(gemm.stream == 7);
  CHECK(gemm.correlation == 5);
  CHECK(gemm.graph_node == 12884901890);
  CHECK(gemm.grid == std::array<std::uint32_t, 3>{2, 66, 1});
  CHECK(gemm.block == std::array<std::uint32_t, 3>{384, 1, 1});
  CHECK(gemm.registers == 168);
  CHECK(gemm.shared_memory == 213188);

  REQUIRE(trace.calls.size() == 1);
  CHECK(trace.calls[0].kind == HostCallKind::launch);
  CHECK(trace.calls[0].start == Instant{from_ns(-13000)});  // 2 - 15 us
  CHECK(trace.calls[0].time == from_ns(6125));
  CHECK(trace.calls[0].correlation == 5);
  CHECK(trace.calls[0].thread == 9);
  REQUIRE(trace.ranges.size() == 1);
  CHECK(trace.names[trace.ranges[0].name] == "ProfilerStep#5");
  CHECK(trace.ranges[0].time == from_ns(99000));
}

TEST_CASE("Kineto reader: a dump of PyTorch 1.8 has other names and whole microseconds") {
  const GpuTrace trace = trace_of(R"json(
  {"ph": "X", "cat": "Operator", "name": "ProfilerStep#2", "pid": 1, "tid": "1", "ts": 1619000000000000, "dur": 90,
   "args": {"Input dims": [], "Trace name": "PyTorch Profiler"}},
  {"ph": "X", "cat": "Operator", "name": "aten::add", "pid": 1, "tid": "1", "ts": 1619000000000001, "dur": 9,
   "args": {}},
  {"ph": "X", "cat": "Runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": "1", "ts": 1619000000000002, "dur": 5,
   "args": {"cbid": 211, "correlation": 17, "external id": 2, "external ts": 1619000000000001}},
  {"ph": "s", "id": 17, "pid": 1, "tid": 1, "ts": 1619000000000002, "cat": "async", "name": "launch"},
  {"ph": "X", "cat": "Kernel", "name": "add", "pid": 0, "tid": "stream 7", "ts": 1619000000000010, "dur": 3,
   "args": {"queued": 0, "device": 0, "context": 1, "stream": 7, "correlation": 17, "external id": 2,
            "registers per thread": 16, "shared memory": 0, "warps per SM": 0.05, "grid": [1, 1, 1],
            "block": [128, 1, 1]}},
  {"ph": "X", "cat": "Memcpy", "name": "Memcpy DtoD", "pid": 2, "tid": "stream 9", "ts": 1619000000000020, "dur": 1,
   "args": {"fromDevice": 0, "inDevice": 2, "toDevice": 1, "stream": 9, "correlation": 18, "bytes": 1024}},
  {"ph": "X", "cat": "Memset", "name": "Memset", "pid": 0, "tid": "stream 7", "ts": 1619000000000030, "dur": 1,
   "args": {"device": 0, "stream": 7, "correlation": 19, "bytes": 8}})json");
  REQUIRE(trace.activities.size() == 3);
  CHECK(trace.epoch_ns == 1619000000000010000);
  CHECK(trace.activities[0].time == from_ns(3000));
  CHECK(trace.activities[0].stream == 7);
  CHECK(trace.activities[1].kind == ActivityKind::copy);
  CHECK(trace.activities[1].device == 2);
  CHECK(trace.activities[1].stream == 9);
  CHECK(trace.activities[1].bytes == 1024);
  CHECK(trace.activities[2].kind == ActivityKind::fill);
  REQUIRE(trace.calls.size() == 1);
  CHECK(trace.calls[0].thread == 1);
  REQUIRE(trace.ranges.size() == 1);
  CHECK(trace.names[trace.ranges[0].name] == "ProfilerStep#2");
}

TEST_CASE("Kineto reader: the profiler before Kineto has no categories") {
  const GpuTrace trace = parse_kineto(
      R"json([{"name": "aten::mm", "ph": "X", "ts": 12.5, "dur": 3.25, "tid": 1, "pid": "CPU functions", "args": {}},
      {"name": "mm", "ph": "s", "ts": 12.5, "tid": 1, "pid": "CPU functions", "id": 0, "cat": "cpu_to_cuda", "args": {}},
      {"name": "sgemm", "ph": "X", "ts": 13.5, "dur": 8.125, "tid": 2, "pid": "CUDA functions", "args": {}}])json",
      "dump");
  REQUIRE(trace.activities.size() == 1);
  CHECK(trace.activities[0].device == 2);
  CHECK(trace.activities[0].time == from_ns(8125));
  CHECK(trace.warnings.empty());
}

TEST_CASE(
    "Kineto reader: numbers in quotes, triples as text and any order of keys are understood") {
  const GpuTrace trace = trace_of(R"json({"args": {"grid": ["2", "66", "1"], "block": "(384, 2, 1)",
    "stream": "20", "device": "1", "correlation": "77", "shared memory": "64"},
    "dur": "2.5", "ts": "1707417525512145.125", "tid": "20", "pid": "1", "name": "k", "cat": "kernel", "ph": "X"})json");
  REQUIRE(trace.activities.size() == 1);
  const GpuActivity& kernel = trace.activities[0];
  CHECK(trace.epoch_ns == 1707417525512145125);
  CHECK(kernel.time == from_ns(2500));
  CHECK(kernel.grid == std::array<std::uint32_t, 3>{2, 66, 1});
  CHECK(kernel.block == std::array<std::uint32_t, 3>{384, 2, 1});
  CHECK(kernel.stream == 20);
  CHECK(kernel.device == 1);
  CHECK(kernel.correlation == 77);
  CHECK(kernel.shared_memory == 64);
}

TEST_CASE(
    "Kineto reader: moments in nanoseconds are told by their size, and lengths go with them") {
  const GpuTrace trace = trace_of(kernel(R"("ts": 1707417525512145001, "dur": 167903)"));
  CHECK(trace.epoch_ns == 1707417525512145001);
  CHECK(trace.activities[0].time == from_ns(167903));
}

TEST_CASE("Kineto reader: names of HIP mean what those of CUDA mean") {
  std::string events = kernel();
  for (const char* name : {"hipLaunchKernel",
                           "hipExtModuleLaunchKernel",
                           "hipGraphLaunch",
                           "hipMemcpyAsync",
                           "hipEventRecord",
                           "hipStreamWaitEvent",
                           "hipDeviceSynchronize",
                           "hipPointerGetAttribute"})
    events += std::string(R"(, {"ph": "X", "cat": "hip_runtime", "name": ")") + name +
              R"(", "pid": 1, "tid": 1, "ts": 1.0, "dur": 0.5, "args": {"correlation": )" +
              std::to_string(events.size()) + "}}";
  const GpuTrace trace = trace_of(events);
  std::array<int, 4> count{};
  for (const HostCall& call : trace.calls) ++count[static_cast<std::size_t>(call.kind)];
  CHECK(count == std::array<int, 4>{4, 1, 1, 1});
}

TEST_CASE("Kineto reader: waits between streams are those that the dump tells") {
  const GpuTrace trace = trace_of(kernel() + R"json(,
  {"ph": "X", "cat": "cuda_sync", "name": "Stream Wait Event", "pid": 0, "tid": 24, "ts": 1.0, "dur": 2.0,
   "args": {"cuda_sync_kind": "Stream Wait Event", "wait_on_stream": 20, "wait_on_cuda_event_record_corr_id": 1385,
            "wait_on_cuda_event_id": 19, "stream": 24, "correlation": 1389, "device": 1, "context": 1}},
  {"ph": "X", "cat": "cuda_sync", "name": "Stream Wait Event", "pid": 0, "tid": 24, "ts": 1.5, "dur": 2.0,
   "args": {"cuda_sync_kind": "Stream Wait Event", "wait_on_stream": -1, "wait_on_cuda_event_record_corr_id": -1,
            "stream": 24, "correlation": 1390, "device": 1}},
  {"ph": "X", "cat": "cuda_sync", "name": "Context Sync", "pid": 0, "tid": -1, "ts": 3.0, "dur": 6,
   "args": {"cuda_sync_kind": "Context Sync", "stream": -1, "correlation": 1391, "device": 1}})json");
  REQUIRE(trace.waits.size() == 2);
  CHECK(trace.waits[0].wait_correlation == 1389);
  CHECK(trace.waits[0].record_correlation == 1385);
  CHECK(trace.waits[0].device == 1);
  CHECK(trace.waits[0].stream == 24);
  CHECK(trace.waits[0].record_stream == 20);
  CHECK(trace.waits[1].record_correlation == 0);
  CHECK(trace.waits[1].record_stream == 0);
}

TEST_CASE(
    "Kineto reader: a kernel without args takes GPU and stream from pid and tid, and says so") {
  const GpuTrace trace = trace_of(
      R"({"ph": "X", "cat": "kernel", "name": "k", "pid": 3, "tid": "stream 21", "ts": 1, "dur": 2})");
  CHECK(trace.activities[0].device == 3);
  CHECK(trace.activities[0].stream == 21);
  CHECK(warnings_of(trace) ==
        Texts{"1 kernels without args: GPU and stream taken from pid and tid (byte 37)"});
}
