#include "calibrate/measurement.hpp"

#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

Measurement small_measurement() {
  Measurement file;
  file.provenance = {.host_time_utc = "2026-11-21T14:00:00Z",
                     .commit = "0123abcd",
                     .dirty = true,
                     .command_line = "epsim calibrate run",
                     .driver = "580.1",
                     .cuda = "13.0",
                     .cupti = "130001",
                     .gpus = {{"NVIDIA H200", "00ff", 700}}};
  MeasuredPoint& point = file.points.emplace_back();
  point.experiment = "M4";
  point.point = Point().with("variant", "release_acquire").with("pollers", 0);
  point.clocks_before = {1980, 3201};
  point.clocks_after = {1965, 3201};
  point.discarded = 1;
  point.result.bytes_moved = 64;
  point.result.add("one_way_ns", {1210.5, 1211.25}).add("round_trips", {64});
  return file;
}

std::string with(const std::string& text, const std::string& old, const std::string& now) {
  const std::size_t at = text.find(old);
  REQUIRE(at != std::string::npos);
  return std::string(text).replace(at, old.size(), now);
}

Measurement read(const std::string& text) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "m.json";
  replace_text_file(path, text);
  return read_measurement(path);
}

}  // namespace

TEST_CASE("Measurement: what is written reads back") {
  const Measurement file = read(measurement_text(small_measurement()));
  CHECK(file.file == "m.json");
  CHECK(file.provenance.dirty);
  CHECK(file.provenance.gpus.front().power_limit_w == 700);
  REQUIRE(file.points.size() == 1);
  const MeasuredPoint& point = file.points.front();
  CHECK(point.point.label() == "variant=release_acquire pollers=0");
  CHECK(point.clocks_after.sm_mhz == 1965);
  CHECK(point.discarded == 1);
  CHECK(point.result.bytes_moved == 64);
  REQUIRE(point.find_samples("one_way_ns") != nullptr);
  CHECK(*point.find_samples("one_way_ns") == std::vector<double>{1210.5, 1211.25});
  CHECK(point.find_samples("latency_ns") == nullptr);
  CHECK(measurement_text(file) == measurement_text(small_measurement()));
}

TEST_CASE("Measurement: samples are kept to a thousandth of their unit") {
  Measurement file = small_measurement();
  file.points.front().result.series.front().samples = {1.23456};
  CHECK(measurement_text(file).find("[1.235]") != std::string::npos);
}

TEST_CASE("Measurement: a file that lacks a piece of its provenance does not load") {
  const std::string text = measurement_text(small_measurement());
  for (const char* key : {"host_time_utc",
                          "commit",
                          "dirty",
                          "command_line",
                          "driver",
                          "cuda",
                          "cupti",
                          "gpus",
                          "uuid_hash",
                          "power_limit_w",
                          "clocks_mhz"}) {
    CAPTURE(key);
    CHECK_THROWS_AS((void)read(with(text, "\"" + std::string(key) + "\"", "\"other\"")),
                    InputError);
  }
}

TEST_CASE("Measurement: a series without a sample and a point without a series do not load") {
  const std::string text = measurement_text(small_measurement());
  CHECK_THROWS_AS((void)read(with(text, "[1210.5, 1211.25]", "[]")), InputError);
  CHECK_THROWS_AS(
      (void)read(with(text, "\"one_way_ns\": [1210.5, 1211.25], \"round_trips\": [64]", "")),
      InputError);
}
