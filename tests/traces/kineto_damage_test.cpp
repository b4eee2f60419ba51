#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"
#include "traces/kineto_reader.hpp"

using namespace epsim;

namespace {

// A kernel whose times are `times`.
std::string kernel(const std::string& times = R"("ts": 10.000, "dur": 2.500)") {
  return R"({"ph": "X", "cat": "kernel", "name": "gemm", "pid": 0, "tid": 7, )" + times +
         R"(, "args": {"device": 0, "stream": 7, "correlation": 5}})";
}

std::string dump_of(const std::string& events) {
  return R"({"traceEvents": [)" + events + "]}";
}

std::string error_of(const std::string& dump) {
  try {
    (void)parse_kineto(dump, "dump");
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<std::string> warnings_of(const GpuTrace& trace) {
  std::vector<std::string> warnings;
  for (const TraceWarning& warning : trace.warnings)
    warnings.push_back(std::to_string(warning.count) + " " + warning.what + " (" + warning.where +
                       ")");
  return warnings;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("Kineto reader: a dump cut short gives the events before the cut and names the byte") {
  const std::string whole = dump_of(kernel() + ",\n" + kernel(R"("ts": 20.000, "dur": 1.000)"));
  const std::size_t second = 17 + kernel().size() + 2;  // 17 signs before the first event
  REQUIRE(whole.substr(second, 5) == "{\"ph\"");
  const GpuTrace trace = parse_kineto(whole.substr(0, second + 50), "dump");
  CHECK(trace.activities.size() == 1);
  CHECK(warnings_of(trace) == Texts{"1 end of the file inside the dump: what begins there is lost "
                                    "(byte " +
                                    std::to_string(second) + ")"});
  // Cut anywhere, it is read as far as it goes, or is an error that names the place.
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    if (size < 17 + kernel().size())
      CHECK(error_of(whole.substr(0, size)).starts_with("dump: "));
    else
      CHECK_FALSE(parse_kineto(whole.substr(0, size), "dump").warnings.empty());
  }
  CHECK(
      error_of(whole.substr(0, 40)) ==
      "dump: holds no kernel, copy or fill of a GPU; the file ends inside the dump, in what begins "
      "at byte 17; 1 end of the file inside the dump: what begins there is lost, first at byte 17");
}

TEST_CASE("Kineto reader: impossible times are dropped and counted by their kind") {
  const GpuTrace trace = parse_kineto(
      dump_of(kernel() + "," + kernel(R"("ts": 1.0, "dur": -2.0)") + "," +
              kernel(R"("ts": 2.0, "dur": -0.001)") + "," + kernel(R"("ts": 3.0, "dur": NaN)") +
              "," + kernel(R"("ts": "inf", "dur": 1)") + "," + kernel(R"("ts": 4.0)") + "," +
              kernel(R"("dur": 4.0)") + "," + kernel(R"("ts": 1e39, "dur": 1)")),
      "dump");
  CHECK(trace.activities.size() == 1);
  std::vector<std::string> said;
  for (const TraceWarning& warning : trace.warnings)
    said.push_back(std::to_string(warning.count) + " " + warning.what);
  CHECK(said == Texts{"2 kernels with a negative duration dropped",
                      "1 kernels whose duration is no number dropped",
                      "2 kernels whose start is no number dropped",
                      "1 kernels without a duration dropped",
                      "1 kernels without a start dropped"});
}

TEST_CASE("Kineto reader: one broken time stamp does not move the others") {
  std::string events = kernel(R"("ts": 0.001, "dur": 1)");  // as of 1970
  for (int i = 0; i < 5; ++i)
    events += "," + kernel(R"("ts": 170741752551214)" + std::to_string(i) + R"(, "dur": 1)");
  const GpuTrace trace = parse_kineto(dump_of(events), "dump");
  CHECK(trace.activities.size() == 5);
  CHECK(trace.epoch_ns == 1707417525512140000);
  REQUIRE(trace.warnings.size() == 1);
  CHECK(trace.warnings[0].count == 1);
}

TEST_CASE("Kineto reader: events out of order come out sorted") {
  std::string events;
  for (const char* start : {"30", "10", "20"})
    events +=
        (events.empty() ? "" : ",") + kernel(std::string(R"("ts": )") + start + R"(, "dur": 1)");
  const GpuTrace trace = parse_kineto(dump_of(events), "dump");
  REQUIRE(trace.activities.size() == 3);
  CHECK(trace.epoch_ns == 10000);
  CHECK(trace.activities[1].start == Instant{from_ns(10000)});
  CHECK(trace.activities[2].start == Instant{from_ns(20000)});
}

TEST_CASE("Kineto reader: a dump without GPU activity is an error, never an empty trace") {
  CHECK(error_of(R"({"traceEvents": []})") == "dump: holds no kernel, copy or fill of a GPU");
  CHECK(error_of(dump_of(kernel(R"("ts": 1, "dur": -1)"))) ==
        "dump: holds no kernel, copy or fill of a GPU; 1 kernels with a negative duration dropped, "
        "first at byte 17");
  CHECK(error_of("[1, 2, 3]").starts_with("dump: holds no kernel"));
}

TEST_CASE("Kineto reader: JSON of another kind is an error that says what is missing") {
  CHECK(error_of(R"({"foo": 1, "bar": [2]})") ==
        "dump: byte 0: expected a PyTorch profiler dump, found JSON without \"traceEvents\"");
  CHECK(error_of(R"({"traceEvents": {"a": 1}})") ==
        "dump: byte 0: expected a PyTorch profiler dump, found JSON without \"traceEvents\"");
  CHECK(error_of("") == "dump: byte 0: an empty file; expected a profiler's dump");
}

TEST_CASE("Kineto reader: characters that JSON forbids are mended, and broken events dropped") {
  std::string tab = kernel(), latin = kernel(), broken = kernel();
  tab.replace(tab.find("gemm"), 4, "ge\tm");
  latin.replace(latin.find("gemm"), 4, "ge\xe9m");
  broken.replace(broken.find("10.000,"), 7, "10.000 ");  // no comma
  const GpuTrace trace = parse_kineto(dump_of(tab + "," + latin + "," + broken), "dump");
  REQUIRE(trace.activities.size() == 2);
  CHECK(trace.names == Texts{"ge m", "ge?m"});
  REQUIRE(trace.warnings.size() == 2);
  CHECK(trace.warnings[0].what == "events with characters that JSON forbids mended");
  CHECK(trace.warnings[0].count == 2);
  CHECK(trace.warnings[1].what == "events that are no JSON objects dropped");
}

TEST_CASE("Kineto reader: a backslash that escapes nothing stays in the name") {
  std::string path = kernel();
  path.replace(path.find("gemm"), 4, R"(C:\Users\x)");
  CHECK(parse_kineto(dump_of(path), "dump").names == Texts{R"(C:\Users\x)"});
}

TEST_CASE("Kineto reader: an unknown schema, a bad rank and text behind the end are warned of") {
  const GpuTrace trace = parse_kineto(
      R"({"schemaVersion": 2, "distributedInfo": {"rank": "x", "world_size": "8"}, "traceEvents": [)" +
          kernel() + "]} {}",
      "dump");
  CHECK_FALSE(trace.rank.has_value());
  CHECK(trace.rank_count == 8);
  REQUIRE(trace.warnings.size() == 3);
  CHECK(trace.warnings[0].what == "schemaVersion 2 instead of 1 read as 1");
  CHECK(trace.warnings[0].where == "byte 18");
  CHECK(trace.warnings[1].what ==
        "rank or world_size of distributedInfo that is no number left out");
  CHECK(trace.warnings[2].what == "text behind the end of the dump read past");
}

TEST_CASE("Kineto reader: brackets that do not match cost the event, not the dump") {
  std::string twisted = kernel();
  twisted.back() = ']';
  const GpuTrace trace = parse_kineto(dump_of(twisted + "," + kernel()), "dump");
  CHECK(trace.activities.size() == 1);
  CHECK(trace.warnings.size() == 1);
}

TEST_CASE("Kineto reader: what is in gzip reads as what is not, and a truncated one is an error") {
  const TemporaryFolder folder;
  std::string events = kernel();
  for (int i = 0; i < 1000; ++i)
    events += "," + kernel(R"("ts": )" + std::to_string(i) + R"(.5, "dur": 1)");
  replace_text_file(folder / "dump.json.gz", dump_of(events));
  replace_text_file(folder / "dump.json", dump_of(events));
  const GpuTrace packed = read_kineto((folder / "dump.json.gz").string());
  const GpuTrace plain = read_kineto((folder / "dump.json").string());
  CHECK(packed.activities.size() == 1001);
  CHECK(plain.activities.size() == 1001);
  std::filesystem::resize_file(folder / "dump.json.gz", 500);
  CHECK_THROWS_WITH_AS((void)read_kineto((folder / "dump.json.gz").string()),
                       doctest::Contains("byte 500: truncated gzip data"),
                       InputError);
}
