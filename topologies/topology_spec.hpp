// TopologySpec: an epsim.topology/1 file with a scenario's overrides laid on top, being read.
//
// A preset states datasheet facts. A scenario may replace parameters of it, and only those that
// the kind of topology reads; each replacement is written down for the report. An error names the
// file that holds the wrong value: the preset, or the scenario that overrides it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/base/units.hpp"
#include "topologies/topology.hpp"

namespace epsim {

class TopologySpec {
 public:
  // Throws InputError unless the file says "schema": "epsim.topology/1".
  explicit TopologySpec(const JsonDocument& file,
                        std::optional<JsonObject> overrides = std::nullopt);

  // The kind of topology as the file writes it. No override.
  [[nodiscard]] const JsonValue& kind() const { return kind_; }

  // A parameter: the override's value if there is one, else the file's.
  [[nodiscard]] JsonValue parameter(std::string_view key);
  // The same for one that the file may leave out.
  [[nodiscard]] std::optional<JsonValue> optional_parameter(std::string_view key);
  // A part of the file that is not a parameter and cannot be overridden.
  [[nodiscard]] JsonValue fixed(std::string_view key) { return file_.required(key); }
  [[nodiscard]] std::optional<JsonValue> optional_fixed(std::string_view key) {
    return file_.optional(key);
  }

  // What every kind states: name, description, sources and the GPU. No nodes and links yet.
  [[nodiscard]] TopologyParts common_parts();

  // Throws InputError for the first key, in the file or the overrides, that nobody asked for.
  void finish() const;

  // One sentence for each parameter replaced so far: "gpus: 8 -> 4".
  [[nodiscard]] const std::vector<std::string>& overridden() const { return overridden_; }

 private:
  JsonObject file_;
  std::optional<JsonObject> overrides_;
  JsonValue kind_;
  std::vector<std::string> overridden_;
};

// Each throws InputError when the value is outside what a machine could be.
[[nodiscard]] Bandwidth read_bandwidth(const JsonValue& value);  // 1 kB/s to 1 PB/s
[[nodiscard]] Duration read_latency(const JsonValue& value);     // 0 to 1 s
[[nodiscard]] Bytes read_memory_size(const JsonValue& value);    // at least 1 B

}  // namespace epsim
