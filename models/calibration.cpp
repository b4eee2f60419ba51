#include "models/calibration.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "models/network_constants.hpp"
#include "models/two_batch.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

void read_bounds(JsonObject& object, std::string_view key, std::int64_t& low, std::int64_t& high) {
  const auto ends = object.required(key).array();
  if (ends.size() != 2) object.required(key).fail_expected("[least, greatest]");
  low = ends[0].integer_in(0, 1'000'000'000);
  high = ends[1].integer_in(low, 1'000'000'000);
}

CalibratedRange read_range(const JsonValue& value) {
  JsonObject object = value.object();
  CalibratedRange range;
  read_bounds(object, "tokens", range.tokens_min, range.tokens_max);
  read_bounds(object, "hidden", range.hidden_min, range.hidden_max);
  read_bounds(object, "experts", range.experts_min, range.experts_max);
  read_bounds(object, "top_k", range.top_k_min, range.top_k_max);
  read_bounds(object, "ranks", range.ranks_min, range.ranks_max);
  object.finish();
  return range;
}

void write_range(const CalibratedRange& range, JsonWriter& writer) {
  const auto bounds = [&](std::string_view key, std::int64_t low, std::int64_t high) {
    writer.key(key).begin_array().value(low).value(high).end_array();
  };
  writer.begin_object();
  bounds("tokens", range.tokens_min, range.tokens_max);
  bounds("hidden", range.hidden_min, range.hidden_max);
  bounds("experts", range.experts_min, range.experts_max);
  bounds("top_k", range.top_k_min, range.top_k_max);
  bounds("ranks", range.ranks_min, range.ranks_max);
  writer.end_object();
}

FitRecord read_fit(const JsonValue& value) {
  JsonObject object = value.object();
  FitRecord fit;
  fit.command = object.required("command").string();
  fit.observations = object.required("observations").string();
  fit.residual_sigma = object.required("residual_sigma").number_in(0, 10);
  for (const JsonValue& name : object.required("fitted").array())
    fit.fitted.push_back(name.string());
  for (const JsonValue& row : object.required("log_covariance").array()) {
    auto& numbers = fit.covariance.emplace_back();
    for (const JsonValue& number : row.array()) numbers.push_back(number.number());
    if (numbers.size() != fit.fitted.size()) row.fail_expected("one number a fitted constant");
  }
  for (const JsonValue& entry : object.required("residuals").array()) {
    JsonObject residual = entry.object();
    fit.residuals.push_back({residual.required("id").string(),
                             residual.required("error_pct").number(),
                             residual.required("fitted").boolean()});
    residual.finish();
  }
  object.finish();
  return fit;
}

void write_fit(const FitRecord& fit, JsonWriter& writer) {
  writer.begin_object().field("command", fit.command).field("observations", fit.observations);
  writer.field("residual_sigma", fit.residual_sigma);
  writer.key("fitted").begin_array();
  for (const std::string& name : fit.fitted) writer.value(name);
  writer.end_array().key("log_covariance").begin_array();
  for (const auto& row : fit.covariance) {
    writer.begin_array();
    for (const double number : row) writer.value(number);
    writer.end_array();
  }
  writer.end_array().key("residuals").begin_array();
  for (const FitResidual& residual : fit.residuals)
    writer.begin_object()
        .field("id", residual.id)
        .field("error_pct", residual.error_pct)
        .field("fitted", residual.fitted)
        .end_object();
  writer.end_array().end_object();
}

const FamilyKind& known_family(const std::string& name, const JsonValue& value) {
  const FamilyKind* kind = find_family(name);
  if (kind == nullptr) value.fail(fmt::format("unknown kernel family \"{}\"", name));
  return *kind;
}

// The embedded file of that name, or else the file at that path.
JsonDocument embedded_or_file(std::span<const EmbeddedFile> embedded,
                              std::string_view name_or_path,
                              std::string_view what) {
  std::string known;
  for (const EmbeddedFile& file : embedded) {
    if (file.name == name_or_path)
      return JsonDocument::parse(file.text, fmt::format("{} {}", what, file.name));
    known += (known.empty() ? "" : ", ") + std::string(file.name);
  }
  if (!std::filesystem::exists(name_or_path))
    throw InputError(name_or_path, "", fmt::format("expected a {} file or one of {}", what, known));
  return JsonDocument::read(name_or_path);
}

KernelFamily read_family(const std::string& name, const JsonValue& value) {
  JsonObject object = value.object();
  KernelFamily family;
  family.name = name;
  family.constants =
      read_constants(object.required("constants"), known_family(name, value).constants());
  family.range = read_range(object.required("range"));
  family.fit = read_fit(object.required("fit"));
  object.finish();
  return family;
}

// Of a machine, and of its network where the file has one: one set, so that who moves a constant
// need not know which.
ConstantSet read_hardware(JsonObject& object) {
  ConstantSet hardware = read_constants(object.required("hardware"), hardware_constants());
  if (const auto network = object.optional("network")) {
    const ConstantSet constants = read_constants(*network, network_constants());
    for (const Constant& constant : constants.all()) hardware.put(constant);
  }
  return hardware;
}

void write_hardware(const ConstantSet& hardware, JsonWriter& writer) {
  ConstantSet machine;
  ConstantSet network;
  for (const Constant& constant : hardware.all()) {
    const auto specs = network_constants();
    const bool is_network = std::any_of(
        specs.begin(), specs.end(), [&](const auto& spec) { return spec.name == constant.name; });
    (is_network ? network : machine).put(constant);
  }
  writer.key("hardware");
  write_constants(machine, writer);
  if (network.all().empty()) return;
  writer.key("network");
  write_constants(network, writer);
}

Calibration read_calibration(const JsonDocument& document) {
  JsonObject object = document.root().object();
  (void)object.required("schema").one_of({"epsim.calibration/1"});
  Calibration calibration;
  calibration.system = object.required("system").string();
  calibration.topology = object.required("topology").string();
  calibration.hardware = read_hardware(object);
  if (const auto overlap = object.optional("overlap"))
    calibration.overlap = read_constants(*overlap, two_batch_constants());
  JsonObject families = object.required("families").object();
  for (const std::string& name : families.keys())
    calibration.families.push_back(read_family(name, families.required(name)));
  object.finish();
  return calibration;
}

}  // namespace

const KernelFamily& Calibration::family(std::string_view name) const {
  std::string known;
  for (const KernelFamily& candidate : families) {
    if (candidate.name == name) return candidate;
    known += (known.empty() ? "" : ", ") + candidate.name;
  }
  const FamilyKind* kind = find_family(name);
  if (kind != nullptr && !kind->calibrated_as.empty()) return family(kind->calibrated_as);
  throw InputError(
      "calibration " + system,
      "/families",
      fmt::format("expected one of {}, found \"{}\"", known.empty() ? "(none)" : known, name));
}

bool has_calibration(std::string_view name) {
  for (const EmbeddedFile& file : embedded::calibrations())
    if (file.name == name) return true;
  return false;
}

std::vector<std::string> calibration_names() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded::calibrations()) names.emplace_back(file.name);
  return names;
}

Calibration load_calibration(std::string_view name_or_path) {
  return read_calibration(embedded_or_file(embedded::calibrations(), name_or_path, "calibration"));
}

Readings load_readings(std::string_view name_or_path) {
  const JsonDocument document = embedded_or_file(embedded::readings(), name_or_path, "readings");
  JsonObject object = document.root().object();
  (void)object.required("schema").one_of({"epsim.readings/1"});
  Readings readings;
  readings.system = object.required("system").string();
  readings.topology = object.required("topology").string();
  readings.hardware = read_hardware(object);
  JsonObject families = object.required("families").object();
  for (const std::string& name : families.keys()) {
    const JsonValue value = families.required(name);
    readings.families.emplace_back(name,
                                   read_constants(value, known_family(name, value).constants()));
  }
  object.finish();
  return readings;
}

std::string calibration_text(const Calibration& calibration) {
  JsonWriter writer(4);
  writer.begin_object().field("schema", "epsim.calibration/1");
  writer.field("system", calibration.system).field("topology", calibration.topology);
  write_hardware(calibration.hardware, writer);
  if (!calibration.overlap.all().empty()) {
    writer.key("overlap");
    write_constants(calibration.overlap, writer);
  }
  writer.key("families").begin_object();
  for (const KernelFamily& family : calibration.families) {
    writer.key(family.name).begin_object().key("constants");
    write_constants(family.constants, writer);
    writer.key("range");
    write_range(family.range, writer);
    writer.key("fit");
    write_fit(family.fit, writer);
    writer.end_object();
  }
  writer.end_object().end_object();
  return writer.take();
}

std::string readings_text(const Readings& readings) {
  JsonWriter writer(4);
  writer.begin_object().field("schema", "epsim.readings/1");
  writer.field("system", readings.system).field("topology", readings.topology);
  write_hardware(readings.hardware, writer);
  writer.key("families").begin_object();
  for (const auto& [name, constants] : readings.families) {
    writer.key(name);
    write_constants(constants, writer);
  }
  writer.end_object().end_object();
  return writer.take();
}

}  // namespace epsim
