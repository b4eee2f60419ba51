#include "traces/gpu_trace.hpp"

#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

namespace fs = std::filesystem;

std::string error_of(const fs::path& path) {
  try {
    (void)read_gpu_trace(path.string());
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

struct Counts {
  const char* file;
  std::size_t kernels, copies, fills, launches, records, waits, ranges, stream_waits;
};

std::size_t count(const GpuTrace& trace, ActivityKind kind) {
  std::size_t found = 0;
  for (const GpuActivity& activity : trace.activities)
    if (activity.kind == kind) ++found;
  return found;
}

std::size_t count(const GpuTrace& trace, HostCallKind kind) {
  std::size_t found = 0;
  for (const HostCall& call : trace.calls)
    if (call.kind == kind) ++found;
  return found;
}

}  // namespace

TEST_CASE("GpuTrace: a dump's kind is told by its content, whatever it is called") {
  const TemporaryFolder folder;
  const fs::path path = folder / "no.extension";
  replace_text_file(path, R"([{"ph": "X", "cat": "kernel", "name": "k", "pid": 0, "tid": 7, "ts": 1,
                               "dur": 2, "args": {"device": 0, "stream": 7, "correlation": 1}}])");
  CHECK(read_gpu_trace(path.string()).profiler == "Kineto");
  replace_text_file(path, "SQLite format 3\0 and then nothing of the kind");
  CHECK(error_of(path).starts_with(path.string()));
}

TEST_CASE("GpuTrace: what is no dump is an error that says what a dump may be") {
  const TemporaryFolder folder;
  const fs::path path = folder / "file";
  replace_text_file(path, "");
  CHECK(error_of(path).ends_with("or an epsim recording, found an empty file"));
  replace_text_file(path, "  hello, world");
  CHECK(error_of(path).starts_with(path.string() + ": byte 2: expected a PyTorch profiler dump"));
  CHECK(error_of(path).ends_with("found \"hello, world\""));
  replace_text_file(path, R"({"schema": "epsim.scenario/1"})");
  CHECK(error_of(path).ends_with("found a file of schema \"epsim.scenario/1\""));
  CHECK(error_of(folder.path()) == folder.path().string() + ": expected a file, found a folder");
  CHECK(error_of(folder / "none") == (folder / "none").string() + ": no such file");
}

TEST_CASE("GpuTrace: reference dumps hold what other tools count in them") {
  const fs::path folder = fs::path(EPSIM_SOURCE_DIR) / "../shared/reference/traces";
  if (!fs::exists(folder)) {
    MESSAGE("skipped: no reference/traces beside this tree");
    return;
  }
  // Counted in the JSON: events of phase X by category, host calls by name.
  constexpr Counts kDumps[] = {
      {"deepep_ll_t128_serial_r0.json.gz", 204, 0, 12, 216, 48, 48, 0, 0},
      {"deepep_normal_t8192_sms24_serial_r0.json.gz", 204, 0, 84, 288, 48, 48, 0, 0},
      {"deepep_normal_t8192_sms24_tbo_r0.json.gz", 204, 0, 84, 288, 120, 48, 0, 0},
      {"nccl_t4096_l3_serial_r0.json.gz", 216, 0, 60, 276, 96, 48, 48, 0},
      {"nccl_t4096_l3_tbo_comm_r0.json.gz", 216, 0, 60, 276, 144, 96, 48, 0},
      {"nccl_t4096_l3_tbo_same_r0.json.gz", 228, 0, 60, 288, 144, 72, 72, 0},
      {"public/critical_path_cuda_event_sync_event_sync_trace.json.gz", 4, 1, 0, 5, 2, 0, 1, 0},
      {"public/critical_path_cuda_event_sync_multi_stream_event_sync_trace.json.gz",
       3,
       0,
       3,
       6,
       4,
       1,
       0,
       1},
      {"public/inference_sglang_decode_sglang_Qwen3-8B_decode.json.gz", 555, 3, 0, 15, 0, 1, 2, 0},
      {"public/nccl_parser_config_nccl_data.json.gz", 2700, 960, 114, 3777, 1077, 84, 72, 0}};
  for (const Counts& dump : kDumps) {
    CAPTURE(dump.file);
    const GpuTrace trace = read_gpu_trace((folder / dump.file).string());
    CHECK(count(trace, ActivityKind::kernel) == dump.kernels);
    CHECK(count(trace, ActivityKind::copy) == dump.copies);
    CHECK(count(trace, ActivityKind::fill) == dump.fills);
    CHECK(count(trace, HostCallKind::launch) == dump.launches);
    CHECK(count(trace, HostCallKind::event_record) == dump.records);
    CHECK(count(trace, HostCallKind::event_wait) == dump.waits);
    CHECK(trace.ranges.size() == dump.ranges);
    CHECK(trace.waits.size() == dump.stream_waits);
    CHECK(trace.warnings.empty());
    for (const GpuActivity& activity : trace.activities) {
      REQUIRE(activity.start >= Instant{});
      REQUIRE(activity.name < trace.names.size());
    }
  }
}

TEST_CASE("GpuTrace: times of a reference dump are those of its text to the nanosecond") {
  const fs::path path =
      fs::path(EPSIM_SOURCE_DIR) / "../shared/reference/traces/nccl_t4096_l3_serial_r0.json.gz";
  if (!fs::exists(path)) {
    MESSAGE("skipped: no reference/traces beside this tree");
    return;
  }
  const GpuTrace trace = read_gpu_trace(path.string());
  CHECK(trace.rank == 0);
  CHECK(trace.rank_count == 4);
  CHECK(trace.devices.size() == 4);
  // The first activity: "ts": 4384108896224.645 and "dur": 167.903, base 1790857026 s.
  CHECK(trace.epoch_ns == 1790857026000000000 + 4384108896224645);
  const GpuActivity& first = trace.activities.front();
  CHECK(trace.names[first.name] == "nvjet_sm90_tst_256x128_64x4_1x2_h_bz_coopA_NNT");
  CHECK(first.time == from_ns(167903));
  CHECK(first.correlation == 67820);
  CHECK(first.grid == std::array<std::uint32_t, 3>{2, 66, 1});
  // The memset behind it: "ts": 4384108896398.372, so 173.727 us later.
  CHECK(trace.activities[1].kind == ActivityKind::fill);
  CHECK(trace.activities[1].start == Instant{from_ns(173727)});
  CHECK(trace.activities[1].time == from_ns(768));
}
