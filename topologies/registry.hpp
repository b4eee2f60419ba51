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
#include "topologies/folded_topology.hpp"
#include "topologies/topology.hpp"
#include "topologies/topology_spec.hpp"

namespace epsim {

// A builder reads its parameters to the last key and throws InputError for any it does not know.
[[nodiscard]] Topology build_nvswitch_node(TopologySpec& spec);
[[nodiscard]] Topology build_rail_optimised(TopologySpec& spec);
[[nodiscard]] Topology build_fat_tree(TopologySpec& spec);
[[nodiscard]] Topology build_multi_plane(TopologySpec& spec);
[[nodiscard]] Topology build_dragonfly_plus(TopologySpec& spec);
[[nodiscard]] Topology build_nvlink_rack(TopologySpec& spec);
[[nodiscard]] Topology build_custom(TopologySpec& spec);

// One host in the place of many that are alike; the same of parameters and errors.
[[nodiscard]] FoldedParts fold_rail_optimised(TopologySpec& spec);
[[nodiscard]] FoldedParts fold_fat_tree(TopologySpec& spec);
[[nodiscard]] FoldedParts fold_nvlink_rack(TopologySpec& spec);

struct TopologyKind {
  std::string_view name;
  std::string_view description;
  Topology (*build)(TopologySpec& spec);
  FoldedParts (*fold)(TopologySpec& spec) = nullptr;  // of kinds whose hosts can be alike
  std::string_view why_not_folded = "";               // of the others
};

inline constexpr std::array kTopologyKinds = {
    TopologyKind{"nvswitch_node",
                 "GPUs with one cable each to one NVSwitch",
                 &build_nvswitch_node,
                 nullptr,
                 "one host has no network: it stands for itself"},
    TopologyKind{"rail_optimised",
                 "hosts under leaves and spines, NIC i of each at a leaf of rail i",
                 &build_rail_optimised,
                 &fold_rail_optimised},
    TopologyKind{"fat_tree",
                 "hosts under two or three tiers of switches, all NICs of each at one leaf",
                 &build_fat_tree,
                 &fold_fat_tree},
    TopologyKind{"multi_plane",
                 "hosts under a network of their own for each NIC",
                 &build_multi_plane,
                 nullptr,
                 "planes are changed inside the sender's host, by the NICs of its other GPUs"},
    TopologyKind{"dragonfly_plus",
                 "hosts in groups of leaves and spines, all groups joined",
                 &build_dragonfly_plus,
                 nullptr,
                 "ways between groups share long cables, those within a group do not"},
    TopologyKind{"nvlink_rack",
                 "racks of GPUs on one NVSwitch plane, with NICs where there are several",
                 &build_nvlink_rack,
                 &fold_nvlink_rack},
    TopologyKind{"custom",
                 "nodes and links listed one by one",
                 &build_custom,
                 nullptr,
                 "nodes listed one by one need not be alike"},
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

// Whether the file of that name states a parameter, so that an override may replace it.
[[nodiscard]] bool has_parameter(std::string_view name, std::string_view key);

// One host that stands for all hosts of a fabric; its GPUs are those of the host, and the way from
// a GPU's NIC to a NIC of another host is that from the first NIC over core0. Does not build the
// whole fabric: hosts may be many more than a topology holds.
struct FoldedTopology {
  LoadedTopology loaded;
  std::uint32_t hosts = 0;
  std::uint32_t gpus_per_host = 0;
};

// Names and overrides as of load_topology. Throws InputError, saying why, where hosts are not alike
// or ways between them differ in more than their latency.
[[nodiscard]] FoldedTopology load_folded_topology(
    std::string_view name, std::optional<JsonObject> overrides = std::nullopt);
[[nodiscard]] FoldedTopology load_folded_topology(
    const JsonValue& name, std::optional<JsonObject> overrides = std::nullopt);

}  // namespace epsim
