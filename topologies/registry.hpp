// Registry: the kinds of topology that epsim can build, and the presets that travel inside it.
//
// To add a kind: a .cpp with a builder, a row in kTopologyKinds, a row in the README table, a test
// with hand-made routes. To add a preset: a file in presets/ and its name in CMakeLists.txt.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/json.hpp"
#include "topologies/topology.hpp"
#include "topologies/topology_spec.hpp"

namespace epsim {

// A builder reads its parameters to the last key and throws InputError for any it does not know.
[[nodiscard]] Topology build_nvswitch_node(TopologySpec& spec);
[[nodiscard]] Topology build_custom(TopologySpec& spec);

struct TopologyKind {
  std::string_view name;
  std::string_view description;
  Topology (*build)(TopologySpec& spec);
};

inline constexpr std::array kTopologyKinds = {
    TopologyKind{"nvswitch_node", "GPUs with one cable each to one NVSwitch", &build_nvswitch_node},
    TopologyKind{"custom", "nodes and links listed one by one", &build_custom},
};

struct TopologyPreset {
  std::string name;
  std::string description;
};

// In the order of their names.
[[nodiscard]] std::vector<TopologyPreset> topology_presets();

struct LoadedTopology {
  Topology topology;
  std::vector<std::string> overridden;  // one sentence an override, for the report
};

// `overrides` replaces parameters of the file: {"gpus": 4}.
[[nodiscard]] LoadedTopology build_topology(const JsonDocument& file,
                                            std::optional<JsonObject> overrides = std::nullopt);

// `name` is a preset's name or, with a slash in it or ".json" at its end, the path of a file.
[[nodiscard]] LoadedTopology load_topology(std::string_view name,
                                           std::optional<JsonObject> overrides = std::nullopt);

// The same, for a name that stands in a file: errors point to it, paths start at that file.
[[nodiscard]] LoadedTopology load_topology(const JsonValue& name,
                                           std::optional<JsonObject> overrides = std::nullopt);

}  // namespace epsim
