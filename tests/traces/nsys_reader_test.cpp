#include "traces/nsys_reader.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/base/temporary_folder.hpp"
#include "tests/support/small_database.hpp"
#include "traces/host_call_kind.hpp"

using namespace epsim;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const fs::path kPublic = fs::path(EPSIM_SOURCE_DIR) / "../shared/reference/traces/public";

// Two processes' ids, and a thread of the first: process P has globalPid P << 24.
constexpr const char* kStrings =
    "CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT NOT NULL);"
    "INSERT INTO StringIds VALUES (1, 'void gemm<float>(float*)'), (2, 'gemm'),"
    " (3, 'ncclDevKernel_AllReduce'), (4, 'cudaLaunchKernel_v7000'), (5, 'cudaEventRecord_v3020'),"
    " (6, 'cudaStreamWaitEvent_v3020'), (7, 'cudaMalloc_v3020'), (8, "
    "'cudaDeviceSynchronize_v3020'),"
    " (9, 'layer 0');";

// As schema 2.x writes it: no graph nodes, shared memory or processes.
constexpr const char* kOldKernels =
    "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INT NOT NULL, end INT NOT NULL, deviceId INT,"
    " streamId INT, correlationId INT, shortName INT, demangledName INT, gridX INT, gridY INT,"
    " gridZ INT);";

constexpr const char* kNewKernels =
    "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId INTEGER,"
    " contextId INTEGER, greenContextId INTEGER, streamId INTEGER, correlationId INTEGER,"
    " globalPid INTEGER, demangledName INTEGER, shortName INTEGER, registersPerThread INTEGER,"
    " gridX INTEGER, gridY INTEGER, gridZ INTEGER, blockX INTEGER, blockY INTEGER, blockZ INTEGER,"
    " staticSharedMemory INTEGER, dynamicSharedMemory INTEGER, graphNodeId INTEGER);";

// A kernel of kNewKernels with what tests tell apart, and else the values of the next line.
std::string new_kernel(const std::string& times,
                       int device,
                       int context,
                       int stream,
                       int correlation,
                       long process,
                       const std::string& graph_node = "NULL") {
  return "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (" + times + ", " + std::to_string(device) +
         ", " + std::to_string(context) + ", NULL, " + std::to_string(stream) + ", " +
         std::to_string(correlation) + ", " + std::to_string(process << 24) +
         ", 1, 2, 168, 132, 2, 1, 256, 1, 1, 1024, 48128, " + graph_node + ");";
}

const TraceWarning* warning_of(const GpuTrace& trace, std::string_view part) {
  for (const TraceWarning& warning : trace.warnings)
    if (warning.what.find(part) != std::string::npos) return &warning;
  return nullptr;
}

struct Export {
  TemporaryFolder folder;
  GpuTrace read(const std::string& sql) const {
    return read_nsys(small_database(folder / "export.sqlite", sql));
  }
};

}  // namespace

TEST_CASE("nsys reader: an old schema without most columns gives what it has") {
  const GpuTrace trace = Export().read(
      std::string(kStrings) + kOldKernels +
      "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (5000, 5600, 0, 7, 12, 2, 1, 132, 2, 1),"
      " (1000, 1250, 0, 8, 11, 3, NULL, 8, 1, 1);"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INT, end INT, globalTid INT,"
      " correlationId INT, nameId INT);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (900, 950, 777, 11, 4), (10, 90, 777, 3, "
      "7);");
  CHECK(trace.profiler == "Nsight Systems");
  CHECK(trace.epoch_ns == 1000);
  REQUIRE(trace.activities.size() == 2);
  const GpuActivity& first = trace.activities[0];
  CHECK(first.start == Instant{});
  CHECK(first.time == Duration{250ns});
  CHECK(trace.names[first.name] == "ncclDevKernel_AllReduce");  // of its short name
  const GpuActivity& second = trace.activities[1];
  CHECK(second.start == Instant{4000ns});  // 5000 - 1000
  CHECK(second.time == Duration{600ns});
  CHECK(trace.names[second.name] == "void gemm<float>(float*)");
  CHECK(second.block_count() == 264);  // 132 x 2 x 1
  CHECK(second.block[0] == 0);         // not told
  REQUIRE(trace.calls.size() == 1);    // an allocation orders nothing
  CHECK(trace.calls[0].start == Instant{-100ns});
  CHECK(trace.calls[0].correlation == first.correlation);
  CHECK(trace.calls[0].kind == HostCallKind::launch);
  CHECK(trace.warnings.empty());
}

TEST_CASE("nsys reader: a new schema tells graph nodes, copies, fills, ranges and the GPU") {
  const GpuTrace trace = Export().read(
      std::string(kStrings) + kNewKernels + new_kernel("2000, 2900", 0, 1, 7, 21, 5, "4294967299") +
      "CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);"
      "INSERT INTO META_DATA_EXPORT VALUES ('EXPORT_PRODUCT_VERSION', '2024.5.1.113'),"
      " ('EXPORT_SCHEMA_VERSION', '3.15.0');"
      "CREATE TABLE TARGET_INFO_SESSION_START_TIME (utcEpochNs INTEGER);"
      "INSERT INTO TARGET_INFO_SESSION_START_TIME VALUES (1700000000000000000);"
      "CREATE TABLE TARGET_INFO_GPU (id INTEGER, name TEXT, smCount INTEGER);"
      "INSERT INTO TARGET_INFO_GPU VALUES (2, 'NVIDIA H200', 132), (0, 'NVIDIA T4', 40);"
      "CREATE TABLE TARGET_INFO_CUDA_DEVICE (gpuId INTEGER, cudaId INTEGER, pid INTEGER);"
      "INSERT INTO TARGET_INFO_CUDA_DEVICE VALUES (2, 0, 5);"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER, end INTEGER, deviceId INTEGER,"
      " contextId INTEGER, streamId INTEGER, correlationId INTEGER, globalPid INTEGER,"
      " bytes INTEGER, copyKind INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (3000, 3100, 0, 1, 7, 22, 83886080, 4096, 8);"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INTEGER, end INTEGER, deviceId INTEGER,"
      " contextId INTEGER, streamId INTEGER, correlationId INTEGER, globalPid INTEGER,"
      " bytes INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (3200, 3210, 0, 1, 7, 23, 83886080, 64);"
      "CREATE TABLE NVTX_EVENTS (start INTEGER, end INTEGER, eventType INTEGER, text TEXT,"
      " textId INTEGER, globalTid INTEGER);"
      "INSERT INTO NVTX_EVENTS VALUES (1500, 3500, 59, NULL, 9, 83886085),"
      " (1600, 2100, 60, 'combine', NULL, 83886085), (1700, NULL, 34, 'mark', NULL, 83886085),"
      " (1800, NULL, 59, 'open', NULL, 83886085), (1, NULL, 39, 'MPI Rank 6', NULL, 83886085);");
  CHECK(trace.profiler == "Nsight Systems 2024.5.1.113");
  CHECK(trace.epoch_ns == 1'700'000'000'000'002'000);  // the session's start and 2000 ns
  CHECK(trace.rank == 6U);
  REQUIRE(trace.devices.size() == 1);
  CHECK(trace.devices[0].name == "NVIDIA H200");  // CUDA's 0 of that process is GPU 2
  CHECK(trace.devices[0].sm_count == 132);
  REQUIRE(trace.activities.size() == 3);
  const GpuActivity& kernel = trace.activities[0];
  CHECK(kernel.graph_node == 4294967299U);
  CHECK(kernel.shared_memory == 49152);  // 1024 + 48128
  CHECK(kernel.registers == 168);
  CHECK(kernel.correlation == 21);
  CHECK(kernel.block[0] == 256);
  CHECK(trace.activities[1].kind == ActivityKind::copy);
  CHECK(trace.activities[1].bytes == 4096);
  CHECK(trace.names[trace.activities[1].name] == "Memcpy DtoD");
  CHECK(trace.activities[2].kind == ActivityKind::fill);
  REQUIRE(trace.ranges.size() == 2);
  CHECK(trace.names[trace.ranges[0].name] == "layer 0");
  CHECK(trace.ranges[0].start == Instant{-500ns});
  CHECK(trace.ranges[0].time == Duration{2us});
  CHECK(trace.names[trace.ranges[1].name] == "combine");
  const TraceWarning* open = warning_of(trace, "NVTX ranges that never end");
  REQUIRE(open != nullptr);
  CHECK(open->count == 1);
  CHECK(open->where == "row 4 of NVTX_EVENTS");
}

TEST_CASE("nsys reader: a wait between streams is tied to the event's last record before it") {
  // Event 9 is recorded on stream 7 (correlation 30), then on 8 (34), and again on 7 (40). The wait
  // of correlation 36 means the second. Event 10 has no record that the file tells.
  const GpuTrace trace = Export().read(
      std::string(kStrings) + kNewKernels + new_kernel("2000, 2900", 0, 1, 7, 21, 5) +
      "CREATE TABLE CUPTI_ACTIVITY_KIND_CUDA_EVENT (deviceId INTEGER, contextId INTEGER,"
      " streamId INTEGER, correlationId INTEGER, globalPid INTEGER, eventId INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_CUDA_EVENT VALUES (0, 1, 7, 30, 83886080, 9),"
      " (0, 1, 7, 40, 83886080, 9), (0, 1, 8, 34, 83886080, 9);"
      "CREATE TABLE ENUM_CUPTI_SYNC_TYPE (id INTEGER, name TEXT);"
      "INSERT INTO ENUM_CUPTI_SYNC_TYPE VALUES (1, 'EVENT_SYNCHRONIZE'),"
      " (2, 'CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_STREAM_WAIT_EVENT');"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_SYNCHRONIZATION (start INTEGER, end INTEGER,"
      " deviceId INTEGER, contextId INTEGER, streamId INTEGER, correlationId INTEGER,"
      " globalPid INTEGER, syncType INTEGER, eventId INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION VALUES"
      " (10, 11, 0, 1, 12, 36, 83886080, 2, 9), (12, 13, 0, 1, 12, 38, 83886080, 1, 9),"
      " (14, 15, 0, 1, 12, 39, 83886080, 2, 10), (14, 15, 0, 1, 12, NULL, 83886080, 2, 10);");
  REQUIRE(trace.waits.size() == 2);  // the other is of the host
  CHECK(trace.waits[0].wait_correlation == 36);
  CHECK(trace.waits[0].stream == 12);
  CHECK(trace.waits[0].record_correlation == 34);
  CHECK(trace.waits[0].record_stream == 8);
  CHECK(trace.waits[1].record_correlation == 0);
  REQUIRE(warning_of(trace, "waits between streams without") != nullptr);
}

TEST_CASE("nsys reader: a wait or copy with another context or none is of the stream it names") {
  // The event of the wait was made in context 2, whose GPU is another one; the copy tells none.
  const GpuTrace trace = Export().read(
      std::string(kStrings) + kNewKernels + new_kernel("2000, 2900", 0, 1, 7, 21, 5) +
      "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER, end INTEGER, deviceId INTEGER,"
      " streamId INTEGER, correlationId INTEGER, globalPid INTEGER, bytes INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (3000, 3100, 0, 7, 22, 83886080, 4096);"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_SYNCHRONIZATION (start INTEGER, end INTEGER,"
      " deviceId INTEGER, contextId INTEGER, streamId INTEGER, correlationId INTEGER,"
      " globalPid INTEGER, syncType INTEGER, eventId INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION VALUES"
      " (10, 11, 0, 2, 7, 36, 83886080, 2, 9);");
  REQUIRE(trace.activities.size() == 2);
  CHECK(trace.activities[1].stream == 7);
  CHECK(trace.waits.at(0).stream == 7);
  CHECK(trace.warnings.empty());
}

TEST_CASE("nsys reader: GPUs, streams and correlations of several processes are kept apart") {
  // Processes 5 and 6 each see one GPU and call it 0; process 6 has two contexts with a stream 7.
  const GpuTrace trace = Export().read(
      std::string(kStrings) + kNewKernels + new_kernel("1000, 1100", 0, 1, 7, 21, 5) +
      new_kernel("1000, 1200", 0, 1, 7, 21, 6) + new_kernel("1300, 1400", 0, 2, 7, 22, 6) +
      "CREATE TABLE PROCESSES (globalPid INTEGER, pid INTEGER, name TEXT);"
      "INSERT INTO PROCESSES VALUES (100663296, 6, 'python3');"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INT, end INT, globalTid INT,"
      " correlationId INT, nameId INT);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (900, 950, 100663302, 21, 4);");
  REQUIRE(trace.activities.size() == 3);
  const GpuActivity& of_5 = trace.activities[0];
  const GpuActivity& of_6 = trace.activities[1];
  CHECK(of_5.device == 0);
  CHECK(of_6.device == 1);
  CHECK(of_5.correlation == 21);
  CHECK(of_6.correlation != of_5.correlation);
  CHECK(trace.calls.at(0).correlation == of_6.correlation);
  CHECK(of_6.stream == 7);
  CHECK(trace.activities[2].stream != 7);
  CHECK(trace.activities[2].device == 1);
  CHECK(trace.devices.size() == 2);
  const TraceWarning* moved = warning_of(
      trace, "activities on GPU 0 of process 6 (python3) told as GPU 1: the file holds several");
  REQUIRE(moved != nullptr);
  CHECK(moved->count == 2);
  CHECK(warning_of(trace, "stream 7 of context 2 on GPU 1 told as stream 1007") != nullptr);
}

TEST_CASE("nsys reader: rows that cannot be are dropped and counted, and the first is named") {
  const GpuTrace trace = Export().read(
      std::string(kStrings) + kNewKernels + new_kernel("2000, 2900", 0, 1, 7, 21, 5) +
      new_kernel("3000, 2999", 0, 1, 7, 22, 5) + new_kernel("3000, 2000", 0, 1, 7, 23, 5) +
      new_kernel("NULL, 2000", 0, 1, 7, 24, 5) + new_kernel("0, 0", 0, 1, 7, 25, 5) +
      new_kernel("-5, 2000", 0, 1, 7, 26, 5) + new_kernel("'soon', 2000", 0, 1, 7, 27, 5) +
      new_kernel("2000, 9000000000000000000", 0, 1, 7, 28, 5) +
      new_kernel("5000000000000000000, 5000000000000000001", 0, 1, 7, 29, 5) +
      "UPDATE CUPTI_ACTIVITY_KIND_KERNEL SET demangledName = 99, shortName = 98,"
      " registersPerThread = -3 WHERE correlationId = 21;");
  REQUIRE(trace.activities.size() == 1);
  CHECK(trace.names[trace.activities[0].name] == "(unnamed kernel)");
  CHECK(trace.activities[0].registers == 0);
  const TraceWarning* negative = warning_of(trace, "kernels with a negative duration dropped");
  REQUIRE(negative != nullptr);
  CHECK(negative->count == 2);
  CHECK(negative->where == "row 2 of CUPTI_ACTIVITY_KIND_KERNEL");
  const auto count = [&](std::string_view part) {
    const TraceWarning* warning = warning_of(trace, part);
    return warning == nullptr ? 0 : warning->count;
  };
  CHECK(count("kernels without start, end, device or stream dropped") == 2);  // NULL and 'soon'
  CHECK(count("kernels without times dropped") == 1);
  CHECK(count("kernels with a time that no clock shows dropped") == 3);  // -5, 9e18, 5e18
  CHECK(count("kernels without a name") == 1);
  CHECK(count("fields out of range read as 0") == 1);
}

TEST_CASE("nsys reader: one broken time stamp does not push the others away") {
  // A year is 3.15e16 ns, more than an Instant holds: what is far from most goes, early or late.
  const GpuTrace trace =
      Export().read(std::string(kStrings) + kNewKernels + new_kernel("7, 8", 0, 1, 7, 21, 5) +
                    new_kernel("31500000000000000, 31500000000000900", 0, 1, 7, 22, 5) +
                    new_kernel("31500000000001000, 31500000000001900", 0, 1, 7, 23, 5));
  REQUIRE(trace.activities.size() == 2);
  CHECK(trace.activities[1].start == Instant{1us});
  REQUIRE(warning_of(trace, "more than 25 days from most others") != nullptr);
}

TEST_CASE(
    "nsys reader: an export without the kernel table is an input error that names its tables") {
  const Export none;
  CHECK_THROWS_WITH_AS(
      (void)none.read(std::string(kStrings) + "CREATE TABLE OSRT_API (start INTEGER);"
                                              "CREATE TABLE ENUM_X (id INTEGER);"),
      doctest::Contains("export.sqlite: expected an Nsight Systems export with the table "
                        "CUPTI_ACTIVITY_KIND_KERNEL, found OSRT_API, StringIds"),
      InputError);
  const Export graphs;
  CHECK_THROWS_WITH_AS(
      (void)graphs.read("CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start INTEGER);"),
      doctest::Contains("--cuda-graph-trace=node"),
      InputError);
}

TEST_CASE("nsys reader: an export whose kernels are none or all broken is no empty trace") {
  const Export empty;
  CHECK_THROWS_WITH_AS((void)empty.read(std::string(kStrings) + kNewKernels),
                       doctest::Contains("holds no kernel, copy or fill of a GPU"),
                       InputError);
  const Export broken;
  CHECK_THROWS_WITH_AS(
      (void)broken.read(std::string(kStrings) + kNewKernels + new_kernel("30, 20", 0, 1, 7, 21, 5)),
      doctest::Contains("1 kernels with a negative duration dropped, first at row 1 of"),
      InputError);
}

TEST_CASE("nsys reader: graphs recorded as one and schemas never seen are warned of") {
  const GpuTrace trace =
      Export().read(std::string(kStrings) + kNewKernels + new_kernel("2000, 2900", 0, 1, 7, 21, 5) +
                    "CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);"
                    "INSERT INTO META_DATA_EXPORT VALUES ('EXPORT_SCHEMA_VERSION', '4.0.0');"
                    "CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start INTEGER, end INTEGER);"
                    "INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE VALUES (10, 20), (30, 40);");
  const TraceWarning* graphs = warning_of(trace, "graph launches recorded without their kernels");
  REQUIRE(graphs != nullptr);
  CHECK(graphs->count == 2);
  CHECK(warning_of(trace, "schema 4.0.0 is none that is known") != nullptr);
}

TEST_CASE("nsys reader: host calls are told by their names, whatever hangs on them") {
  CHECK(host_call_kind("cudaLaunchKernelExC_v11060") == HostCallKind::launch);
  CHECK(host_call_kind("cuLaunchKernelEx_ptsz") == HostCallKind::launch);
  CHECK(host_call_kind("cudaGraphLaunch_v10000") == HostCallKind::launch);
  CHECK(host_call_kind("hipMemcpyAsync") == HostCallKind::launch);
  CHECK(host_call_kind("cuMemsetD8Async") == HostCallKind::launch);
  CHECK(host_call_kind("cudaEventRecordWithFlags") == HostCallKind::event_record);
  CHECK(host_call_kind("hipStreamWaitEvent") == HostCallKind::event_wait);
  CHECK(host_call_kind("cuCtxSynchronize") == HostCallKind::synchronize);
  for (const char* name : {"cudaMalloc_v3020",
                           "cudaGraphAddMemcpyNode",
                           "cudaEventQuery",
                           "cudaLaunchHostFunc",
                           "aten::copy_ Synchronize",
                           ""}) {
    CAPTURE(name);
    CHECK_FALSE(host_call_kind(name));
  }
}

TEST_CASE("nsys reader: a public export of an A100 run is read, gzip and all") {
  const fs::path path = kPublic / "saxpy-mpi-cuda_nsys.sqlite.gz";
  if (!fs::exists(path)) {
    MESSAGE("skipped: no public traces at " << kPublic.string());
    return;
  }
  const GpuTrace trace = read_nsys(path.string());
  CHECK(trace.profiler == "Nsight Systems 2022.2.1.31");
  CHECK(trace.rank == 0U);
  REQUIRE(trace.devices.size() == 1);
  CHECK(trace.devices[0].name == "NVIDIA A100-SXM4-40GB");
  CHECK(trace.devices[0].sm_count == 108);
  // By sqlite3 on the file: 5 kernels and 15 copies; the calls behind them, each told twice, and
  // others; 22 ranges of type 59.
  CHECK(trace.activities.size() == 20);
  CHECK(trace.calls.size() == 20);
  CHECK(trace.ranges.size() == 22);
  const TraceWarning* repeated = warning_of(trace, "calls told a second time");
  REQUIRE(repeated != nullptr);
  CHECK(repeated->count == 20);
  // Its third activity: 924922186 to 942626994 ns; the first starts at 887857742.
  const GpuActivity& kernel = trace.activities.at(2);
  CHECK(trace.names[kernel.name] == "saxpy(double *, double *, double *, double, int)");
  CHECK(kernel.start == Instant{37'064'444ns});
  CHECK(kernel.time == Duration{17'704'808ns});
  CHECK(kernel.block[0] == 512);
}
