#include "topologies/topology_spec.hpp"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace epsim {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kSchema = "epsim.topology/1";

JsonObject checked_object(const JsonDocument& file) {
  JsonObject object = file.root().object();
  (void)object.required("schema").one_of({kSchema});
  return object;
}

}  // namespace

TopologySpec::TopologySpec(const JsonDocument& file, std::optional<JsonObject> overrides)
    : file_(checked_object(file)),
      overrides_(std::move(overrides)),
      kind_(file_.required("kind")) {}

JsonValue TopologySpec::parameter(std::string_view key) {
  const JsonValue preset = file_.required(key);
  return optional_parameter(key).value_or(preset);
}

std::optional<JsonValue> TopologySpec::optional_parameter(std::string_view key) {
  const std::optional<JsonValue> preset = file_.optional(key);
  const std::optional<JsonValue> replacement =
      overrides_ ? overrides_->optional(key) : std::nullopt;
  if (!replacement) return preset;
  const auto plain = [](const JsonValue& value) {
    return value.is_string() ? value.string() : value.dump();
  };
  overridden_.push_back(
      fmt::format("{}: {} -> {}", key, preset ? plain(*preset) : "none", plain(*replacement)));
  return *replacement;
}

TopologyParts TopologySpec::common_parts() {
  TopologyParts parts;
  parts.file = file_.value().file();
  parts.name = fixed("name").string();
  parts.description = fixed("description").string();
  for (const JsonValue& source : fixed("sources").array()) parts.sources.push_back(source.string());
  parts.gpu.model = parameter("gpu").string();
  parts.gpu.sm_count = static_cast<int>(parameter("sms").integer_in(1, 1024));
  parts.gpu.hbm_bandwidth = read_bandwidth(parameter("hbm_bandwidth"));
  parts.gpu.hbm_capacity = read_memory_size(parameter("hbm_capacity"));
  parts.gpu.l2_size = read_memory_size(parameter("l2_size"));
  return parts;
}

void TopologySpec::finish() const {
  if (overrides_) overrides_->finish();
  file_.finish();
}

Bandwidth read_bandwidth(const JsonValue& value) {
  const Bandwidth bandwidth = value.bandwidth();
  if (bandwidth < Bandwidth{1e3} || bandwidth > Bandwidth{1e15})
    value.fail_expected("a bandwidth from 1 kB/s to 1 PB/s");
  return bandwidth;
}

Duration read_latency(const JsonValue& value) {
  const Duration latency = value.duration();
  if (latency < Duration::zero() || latency > 1s) value.fail_expected("a latency from 0 s to 1 s");
  return latency;
}

Bytes read_memory_size(const JsonValue& value) {
  const Bytes size = value.bytes();
  if (size < Bytes{1}) value.fail_expected("a size of at least 1 B");
  return size;
}

}  // namespace epsim
