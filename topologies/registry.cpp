#include "topologies/registry.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "sim/base/embedded_file.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

bool is_path(std::string_view name) {
  return name.find('/') != std::string_view::npos || name.ends_with(".json");
}

JsonDocument parse_preset(const EmbeddedFile& preset) {
  return JsonDocument::parse(preset.text, fmt::format("topologies/presets/{}.json", preset.name));
}

std::optional<JsonDocument> find_preset(std::string_view name) {
  for (const EmbeddedFile& preset : embedded::topology_presets())
    if (preset.name == name) return parse_preset(preset);
  return std::nullopt;
}

std::string unknown_name_text() {
  std::string known;
  for (const TopologyPreset& preset : topology_presets())
    known += (known.empty() ? "" : ", ") + preset.name;
  return "no such topology; known: " + known + "; or write the path of a .json file";
}

// The file that a name in the command line, or in a file, stands for.
JsonDocument find_document(std::string_view name) {
  if (is_path(name)) return JsonDocument::read(name);
  const std::optional<JsonDocument> preset = find_preset(name);
  if (!preset) throw InputError(name, "", unknown_name_text());
  return *preset;
}

JsonDocument find_document(const JsonValue& name) {
  const std::string text = name.string();
  if (is_path(text))
    return JsonDocument::read(std::filesystem::path(name.file()).parent_path() / text);
  const std::optional<JsonDocument> preset = find_preset(text);
  if (!preset) name.fail(fmt::format("\"{}\": {}", text, unknown_name_text()));
  return *preset;
}

const TopologyKind& kind_of(const TopologySpec& spec) {
  std::vector<std::string_view> kinds;
  for (const TopologyKind& kind : kTopologyKinds) kinds.push_back(kind.name);
  return kTopologyKinds.at(spec.kind().one_of(kinds));
}

FoldedTopology fold_topology(const JsonDocument& file, std::optional<JsonObject> overrides) {
  TopologySpec spec(file, std::move(overrides));
  const TopologyKind& kind = kind_of(spec);
  if (kind.fold == nullptr)
    spec.kind().fail(
        fmt::format("no host of a {} can stand for all: {}", kind.name, kind.why_not_folded));
  FoldedParts folded = kind.fold(spec);
  return {
      .loaded = {.topology = Topology(std::move(folded.parts)), .overridden = spec.overridden()},
      .hosts = folded.hosts,
      .gpus_per_host = folded.gpus_per_host};
}

}  // namespace

std::vector<TopologyPreset> topology_presets() {
  std::vector<TopologyPreset> presets;
  for (const EmbeddedFile& preset : embedded::topology_presets()) {
    JsonObject object = parse_preset(preset).root().object();
    presets.push_back({.name = object.required("name").string(),
                       .description = object.required("description").string()});
  }
  std::sort(
      presets.begin(), presets.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return presets;
}

LoadedTopology build_topology(const JsonDocument& file, std::optional<JsonObject> overrides) {
  TopologySpec spec(file, std::move(overrides));
  Topology topology = kind_of(spec).build(spec);
  return {.topology = std::move(topology), .overridden = spec.overridden()};
}

LoadedTopology load_topology(std::string_view name, std::optional<JsonObject> overrides) {
  return build_topology(find_document(name), std::move(overrides));
}

LoadedTopology load_topology(const JsonValue& name, std::optional<JsonObject> overrides) {
  return build_topology(find_document(name), std::move(overrides));
}

bool has_parameter(std::string_view name, std::string_view key) {
  return find_document(name).root().object().optional(key).has_value();
}

FoldedTopology load_folded_topology(std::string_view name, std::optional<JsonObject> overrides) {
  return fold_topology(find_document(name), std::move(overrides));
}

FoldedTopology load_folded_topology(const JsonValue& name, std::optional<JsonObject> overrides) {
  return fold_topology(find_document(name), std::move(overrides));
}

}  // namespace epsim
