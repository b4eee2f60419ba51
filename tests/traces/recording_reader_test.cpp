#include "traces/recording_reader.hpp"

#include <chrono>
#include <filesystem>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

const std::string kHead =
    R"({"schema": "epsim.recording/1", "profiler": "CUPTI 26", "rank": 1, "rank_count": 4, )"
    R"("devices": [{"device": 0, "name": "NVIDIA H200", "sm_count": 132}]})"
    "\n";
const std::string kKernel =
    R"({"kind": "kernel", "start_ns": 1700000000000000000, "end_ns": 1700000000000004242, )"
    R"("device": 0, "stream": 7, "correlation": 12, "name": "gemm<float>", "grid": [132, 1, 1], )"
    R"("block": [256, 1, 1], "shared_memory_bytes": 49152, "registers": 168, "graph_node": 3})"
    "\n";
const std::string kCopy =
    R"({"kind": "copy", "start_ns": 1700000000000001000, "end_ns": 1700000000000001500, )"
    R"("device": 0, "stream": 8, "correlation": 13, "bytes": 4096})"
    "\n";
const std::string kWait =
    R"({"kind": "synchronize", "start_ns": 1700000000000005000, "end_ns": 1700000000000005100})"
    "\n";

std::string ending(int records) {
  return "{\"records\": " + std::to_string(records) + "}\n";
}

GpuTrace parse(const std::string& text) {
  return parse_recording(text, "run.jsonl");
}

}  // namespace

TEST_CASE("recording reader: the format's own example is read") {
  const GpuTrace trace = parse(kHead + kKernel + kCopy + kWait + ending(3));
  CHECK(trace.profiler == "epsim (CUPTI 26)");
  CHECK(trace.epoch_ns == 1'700'000'000'000'000'000);
  CHECK(trace.rank == 1U);
  CHECK(trace.rank_count == 4U);
  REQUIRE(trace.devices.size() == 1);
  CHECK(trace.devices[0].name == "NVIDIA H200");
  CHECK(trace.devices[0].sm_count == 132);
  REQUIRE(trace.activities.size() == 2);
  const GpuActivity& kernel = trace.activities[0];
  CHECK(kernel.time == Duration{4242ns});
  CHECK(trace.names[kernel.name] == "gemm<float>");
  CHECK(kernel.block_count() == 132);
  CHECK(kernel.block[0] == 256);
  CHECK(kernel.shared_memory == 49152);
  CHECK(kernel.registers == 168);
  CHECK(kernel.graph_node == 3);
  CHECK(kernel.stream == 7);
  CHECK(trace.activities[1].kind == ActivityKind::copy);
  CHECK(trace.activities[1].start == Instant{1us});
  CHECK(trace.activities[1].bytes == 4096);
  REQUIRE(trace.calls.size() == 1);
  CHECK(trace.calls[0].kind == HostCallKind::synchronize);
  CHECK(trace.calls[0].start == Instant{5us});
  CHECK(trace.warnings.empty());
}

TEST_CASE("recording reader: a recording in gzip reads the same") {
  const TemporaryFolder folder;
  replace_text_file(folder / "run.jsonl.gz", kHead + kKernel + ending(1));
  const GpuTrace trace = read_recording((folder / "run.jsonl.gz").string());
  CHECK(trace.activities.size() == 1);
  CHECK(trace.file == (folder / "run.jsonl.gz").string());
  CHECK(begins_as_recording(kHead));
  CHECK_FALSE(begins_as_recording("{\"schemaVersion\": 1, \"traceEvents\": []}"));
}

TEST_CASE("recording reader: one that was cut short is read as far as it goes, and says so") {
  for (const std::string& cut : {kKernel.substr(0, 100), std::string(), std::string("{\"reco")}) {
    CAPTURE(cut);
    const GpuTrace trace = parse(kHead + kKernel + cut);
    CHECK(trace.activities.size() == 1);
    REQUIRE(trace.warnings.size() == (cut.empty() ? 1 : 2));
    CHECK(trace.warnings.back().what ==
          "recording cut short: its last line, with the count, is missing");
    if (!cut.empty()) {
      CHECK(trace.warnings.front().what == "records cut off in their middle dropped");
      CHECK(trace.warnings.front().where == "line 3");
    }
  }
  // Whole, but for the last line's end.
  const std::string last = ending(1);
  CHECK(parse(kHead + kKernel + last.substr(0, last.size() - 1)).warnings.empty());
}

TEST_CASE("recording reader: what breaks the format is an input error that names the line") {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = kKernel;
    return text.replace(text.find(from), from.size(), to);
  };
  const auto check_error = [](const std::string& text, const char* expected) {
    CAPTURE(expected);
    CHECK_THROWS_WITH_AS((void)parse(text), doctest::Contains(expected), InputError);
  };
  check_error("", "run.jsonl: empty; expected a recording");
  check_error("not JSON\n", "run.jsonl: line 1");
  check_error("{\"schema\": \"epsim.recording/9\", \"devices\": []}\n",
              "line 1: /schema: expected \"epsim.recording/1\"");
  check_error(kHead + kHead, "line 2: missing key \"kind\"");
  check_error(kHead + with("\"kernel\"", "\"colonel\""), "line 2: /kind");
  check_error(kHead + with("1700000000000000000", "NaN") + kCopy, "line 2");
  check_error(kHead + with("1700000000000000000", "1.5") + kCopy, "line 2: /start_ns");
  check_error(kHead + with("\"registers\"", "\"registres\"") + kCopy, "line 2: /registres");
  check_error(kHead + with("[132, 1, 1]", "[132, 1]") + kCopy, "line 2: /grid: expected three");
  check_error(kHead + with("\"stream\": 7, ", "") + kCopy, "line 2");
  check_error(kHead + kKernel.substr(0, 100) + "\n" + kCopy, "line 2");
  check_error(kHead + kKernel + ending(2), "line 3: /records: expected 1, which are in the file");
  check_error(kHead + kKernel + ending(1) + kCopy, "line 4");
  check_error(kHead + std::string((1U << 20) + 10, ' ') + "\n", "line 2: longer than");
}

TEST_CASE("recording reader: impossible times are dropped and counted, and none is no trace") {
  std::string backwards = kKernel;
  backwards.replace(backwards.find("0004242"), 7, "0000000")
      .replace(backwards.find("17000"), 5, "17001");
  const GpuTrace trace = parse(kHead + backwards + kCopy + ending(2));
  CHECK(trace.activities.size() == 1);
  REQUIRE(trace.warnings.size() == 1);
  CHECK(trace.warnings[0].what == "kernels with a negative duration dropped");
  CHECK(trace.warnings[0].where == "line 2");
  CHECK_THROWS_WITH_AS((void)parse(kHead + backwards + ending(1)),
                       doctest::Contains("holds no kernel, copy or fill of a GPU; 1 kernels with a "
                                         "negative duration dropped, first at line 2"),
                       InputError);
}
