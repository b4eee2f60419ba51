#include "calibrate/recording.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <system_error>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "traces/recording_reader.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

const GpuRecord kKernel = {.activity = GpuRecordKind::kernel,
                           .gpu = 1,
                           .stream = 13,
                           .correlation = 42,
                           .start_ns = 1'700'000'000'000'000'000,
                           .end_ns = 1'700'000'000'000'002'500,
                           .name = "void combine<\"x\">(int*)\n",
                           .grid = {24, 2, 1},
                           .block = {1024, 1, 1},
                           .shared_memory_bytes = 65536,
                           .registers = 64,
                           .graph_node = 5'000'000'000};
const GpuRecord kCopy = {.activity = GpuRecordKind::copy,
                         .gpu = 0,
                         .stream = 7,
                         .correlation = 43,
                         .start_ns = 1'700'000'000'000'001'000,
                         .end_ns = 1'700'000'000'000'003'000,
                         .bytes = 1 << 20};
const GpuRecord kFill = {.activity = GpuRecordKind::fill,
                         .correlation = 44,
                         .start_ns = 1'700'000'000'000'004'000,
                         .end_ns = 1'700'000'000'000'004'100,
                         .bytes = 64};
const GpuRecord kWait = {.activity = GpuRecordKind::synchronization,
                         .correlation = 45,
                         .start_ns = 1'700'000'000'000'004'200,
                         .end_ns = 1'700'000'000'000'004'900};
const GpuRecord kOverhead = {.activity = GpuRecordKind::overhead, .start_ns = 1, .end_ns = 2};

}  // namespace

TEST_CASE("recording: what the writer writes, the reader of traces reads") {
  const TemporaryFolder folder;
  RecordingWriter writer(folder / "run.jsonl", "CUPTI 130000", {{"NVIDIA H200", 132}, {"B", 148}});
  writer.write({kKernel, kCopy});
  writer.write({});
  writer.write({kFill, kOverhead, kWait});
  writer.finish();
  const GpuTrace trace = read_recording((folder / "run.jsonl").string());
  CHECK(trace.warnings.empty());
  CHECK(trace.profiler == "epsim (CUPTI 130000)");
  REQUIRE(trace.devices.size() == 2);
  CHECK(trace.devices[1].device == 1);
  CHECK(trace.devices[1].sm_count == 148);
  REQUIRE(trace.activities.size() == 3);
  const GpuActivity& kernel = trace.activities[0];
  CHECK(trace.names[kernel.name] == kKernel.name);
  CHECK(kernel.device == 1);
  CHECK(kernel.stream == 13);
  CHECK(kernel.correlation == 42);
  CHECK(kernel.time == Duration{2500ns});
  CHECK(kernel.grid == kKernel.grid);
  CHECK(kernel.block == kKernel.block);
  CHECK(kernel.shared_memory == 65536);
  CHECK(kernel.registers == 64);
  CHECK(kernel.graph_node == 5'000'000'000);
  CHECK(trace.activities[1].kind == ActivityKind::copy);
  CHECK(trace.activities[1].bytes == 1 << 20);
  CHECK(trace.activities[1].start == Instant{1us});
  CHECK(trace.activities[2].kind == ActivityKind::fill);
  REQUIRE(trace.calls.size() == 1);
  CHECK(trace.calls[0].correlation == 45);
}

TEST_CASE("recording: what was written before a run ends badly is there, and told as cut short") {
  const TemporaryFolder folder;
  {
    RecordingWriter writer(folder / "run.jsonl", "CUPTI", {{"GPU", 1}});
    writer.write({kKernel});
    CHECK(read_recording((folder / "run.jsonl").string()).activities.size() == 1);
  }
  const GpuTrace trace = read_recording((folder / "run.jsonl").string());
  REQUIRE(trace.warnings.size() == 1);
  CHECK(trace.warnings[0].what.starts_with("recording cut short"));
}

TEST_CASE("recording: a name that asks for gzip and a folder that is not there are told at once") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH_AS(RecordingWriter(folder / "run.jsonl.gz", "CUPTI", {}),
                       doctest::Contains("a recording is written plain"),
                       InputError);
  CHECK_THROWS_AS(RecordingWriter(folder.path() / "none" / "run.jsonl", "CUPTI", {}),
                  std::system_error);
}
