#include "calibrate/measurement.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostMegahertz = 100'000;
constexpr std::int64_t kMostBytes = 1LL << 50;
constexpr double kKept = 1000;  // samples are kept to a thousandth of their unit

std::string required_text(JsonObject& object, std::string_view key) {
  const JsonValue value = object.required(key);
  std::string text = value.string();
  if (text.empty()) value.fail_expected("a text that says something");
  return text;
}

Provenance read_provenance(const JsonValue& value) {
  JsonObject object = value.object();
  Provenance provenance;
  provenance.host_time_utc = required_text(object, "host_time_utc");
  provenance.commit = required_text(object, "commit");
  provenance.dirty = object.required("dirty").boolean();
  provenance.command_line = required_text(object, "command_line");
  provenance.driver = required_text(object, "driver");
  provenance.cuda = required_text(object, "cuda");
  provenance.cupti = required_text(object, "cupti");
  const JsonValue gpus = object.required("gpus");
  for (const JsonValue& entry : gpus.array()) {
    JsonObject gpu = entry.object();
    provenance.gpus.push_back({required_text(gpu, "name"),
                               required_text(gpu, "uuid_hash"),
                               gpu.required("power_limit_w").number_in(0, 10'000)});
    gpu.finish();
  }
  if (provenance.gpus.empty()) gpus.fail_expected("a GPU that was measured");
  object.finish();
  return provenance;
}

ClockReading read_clock(const JsonValue& value) {
  const auto numbers = value.array();
  if (numbers.size() != 2) value.fail_expected("[SM MHz, memory MHz]");
  return {numbers[0].integer_in(0, kMostMegahertz), numbers[1].integer_in(0, kMostMegahertz)};
}

PointResult read_series(JsonObject& object) {
  PointResult result;
  result.bytes_moved = object.required("bytes_moved").integer_in(0, kMostBytes);
  const JsonValue series = object.required("series");
  JsonObject by_name = series.object();
  for (const std::string& name : by_name.keys()) {
    std::vector<double> samples;
    const JsonValue list = by_name.required(name);
    for (const JsonValue& sample : list.array()) samples.push_back(sample.number());
    if (samples.empty()) list.fail_expected("a sample");
    result.add(name, std::move(samples));
  }
  if (result.series.empty()) series.fail_expected("a series of samples");
  return result;
}

MeasuredPoint read_point(const JsonValue& value) {
  JsonObject object = value.object();
  MeasuredPoint point;
  point.experiment = required_text(object, "experiment");
  JsonObject arguments = object.required("arguments").object();
  for (const std::string& name : arguments.keys())
    point.point.with(name, std::string_view(arguments.required(name).string()));
  JsonObject clocks = object.required("clocks_mhz").object();
  point.clocks_before = read_clock(clocks.required("before"));
  point.clocks_after = read_clock(clocks.required("after"));
  clocks.finish();
  point.discarded = object.required("discarded").integer_in(0, 1'000'000);
  point.result = read_series(object);
  object.finish();
  return point;
}

void write_provenance(const Provenance& provenance, JsonWriter& writer) {
  writer.begin_object()
      .field("host_time_utc", provenance.host_time_utc)
      .field("commit", provenance.commit)
      .field("dirty", provenance.dirty)
      .field("command_line", provenance.command_line)
      .field("driver", provenance.driver)
      .field("cuda", provenance.cuda)
      .field("cupti", provenance.cupti)
      .key("gpus")
      .begin_array();
  for (const GpuProvenance& gpu : provenance.gpus)
    writer.begin_object()
        .field("name", gpu.name)
        .field("uuid_hash", gpu.uuid_hash)
        .field("power_limit_w", gpu.power_limit_w)
        .end_object();
  writer.end_array().end_object();
}

void write_clock(const ClockReading& clock, JsonWriter& writer) {
  writer.begin_array().value(clock.sm_mhz).value(clock.memory_mhz).end_array();
}

void write_point(const MeasuredPoint& point, JsonWriter& writer) {
  writer.begin_object().field("experiment", point.experiment).key("arguments").begin_object();
  for (const auto& [name, value] : point.point.arguments()) writer.field(name, value);
  writer.end_object().key("clocks_mhz").begin_object().key("before");
  write_clock(point.clocks_before, writer);
  writer.key("after");
  write_clock(point.clocks_after, writer);
  writer.end_object()
      .field("discarded", point.discarded)
      .field("bytes_moved", point.result.bytes_moved)
      .key("series")
      .begin_object();
  for (const SampleSeries& series : point.result.series) {
    writer.key(series.name).begin_array();
    for (const double sample : series.samples) writer.value(std::round(sample * kKept) / kKept);
    writer.end_array();
  }
  writer.end_object().end_object();
}

}  // namespace

const std::vector<double>* MeasuredPoint::find_samples(std::string_view name) const {
  for (const SampleSeries& series : result.series)
    if (series.name == name) return &series.samples;
  return nullptr;
}

Measurement read_measurement(const std::filesystem::path& path) {
  const JsonDocument document = JsonDocument::read(path);
  JsonObject object = document.root().object();
  const JsonValue schema = object.required("schema");
  if (schema.string() != kMeasurementSchema)
    schema.fail_expected(fmt::format("\"{}\"", kMeasurementSchema));
  Measurement measurement;
  measurement.file = path.filename().string();
  measurement.provenance = read_provenance(object.required("provenance"));
  for (const JsonValue& point : object.required("points").array())
    measurement.points.push_back(read_point(point));
  object.finish();
  return measurement;
}

std::string measurement_text(const Measurement& measurement) {
  JsonWriter writer;
  writer.begin_object().field("schema", kMeasurementSchema).key("provenance");
  write_provenance(measurement.provenance, writer);
  writer.key("points").begin_array();
  for (const MeasuredPoint& point : measurement.points) write_point(point, writer);
  writer.end_array().end_object();
  return writer.take();
}

}  // namespace epsim
