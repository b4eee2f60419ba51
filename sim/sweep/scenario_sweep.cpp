#include "sim/sweep/scenario_sweep.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::int64_t kMostSeeds = 100'000;
constexpr std::string_view kSeed = "seed";

using Group = std::vector<std::string>;

// Keys that advance together, each group in the order of the file.
std::vector<Group> read_zip(JsonObject& root, const JsonObject& axes) {
  const auto zip = root.optional("zip");
  if (!zip) return {};
  const std::vector<std::string> known = axes.keys();
  std::set<std::string> taken;
  std::vector<Group> groups;
  for (const JsonValue& listed : zip->array()) {
    Group& group = groups.emplace_back();
    for (const JsonValue& key : listed.array()) {
      group.push_back(key.string());
      if (std::find(known.begin(), known.end(), group.back()) == known.end())
        key.fail_expected("a key of \"axes\"");
      if (!taken.insert(group.back()).second) key.fail("stands twice in \"zip\"");
    }
    if (group.size() < 2) listed.fail_expected("two keys or more that advance together");
  }
  return groups;
}

std::vector<std::string> read_values(JsonObject& axes, const std::string& key) {
  const JsonValue value = axes.required(key);
  std::vector<std::string> values;
  for (const JsonValue& element : value.array()) values.push_back(element.dump());
  if (values.empty()) value.fail_expected("at least one value");
  return values;
}

// The axis of a group, which stands where its first key does.
SweepAxis read_axis(JsonObject& axes, const Group& group) {
  SweepAxis axis{.keys = group, .steps = {}};
  for (const std::string& key : group) {
    const std::vector<std::string> values = read_values(axes, key);
    if (key == group.front()) axis.steps.resize(values.size());
    if (values.size() != axis.steps.size())
      axes.required(key).fail_expected(
          fmt::format("the {} values of \"{}\", with which it advances (zip)",
                      axis.steps.size(),
                      group.front()));
    for (std::size_t i = 0; i < values.size(); ++i) axis.steps[i].push_back(values[i]);
  }
  return axis;
}

void read_axes(JsonObject& root, ScenarioSweep& sweep) {
  JsonObject axes = root.required("axes").object();
  const std::vector<Group> groups = read_zip(root, axes);
  for (const std::string& key : axes.keys()) {
    const auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& keys) {
      return std::find(keys.begin(), keys.end(), key) != keys.end();
    });
    if (group == groups.end()) {
      sweep.axes.push_back(read_axis(axes, {key}));
    } else if (std::none_of(sweep.axes.begin(), sweep.axes.end(), [&](const SweepAxis& axis) {
                 return axis.keys == *group;
               })) {
      sweep.axes.push_back(read_axis(axes, *group));
    }
  }
}

// An axis of its own, after all others: seeds from the scenario's on.
void read_seeds(JsonObject& root, const JsonDocument& scenario, ScenarioSweep& sweep) {
  const auto seeds = root.optional("seeds");
  if (!seeds) return;
  const std::int64_t count = seeds->integer_in(1, kMostSeeds);
  const std::vector<std::string> keys = sweep.keys();
  if (std::find(keys.begin(), keys.end(), kSeed) != keys.end())
    seeds->fail("\"axes\" has values of seed already; give one of the two");
  JsonObject object = scenario.root().object();
  const auto own = object.optional(kSeed);
  const std::int64_t first = own ? own->integer_in(0, INT64_MAX - kMostSeeds) : 0;
  SweepAxis axis{.keys = {std::string(kSeed)}, .steps = {}};
  for (std::int64_t i = 0; i < count; ++i) axis.steps.push_back({std::to_string(first + i)});
  sweep.axes.push_back(std::move(axis));
}

// Its text may stand in the sweep or in a file of its own.
JsonDocument read_base(JsonObject& root, const std::filesystem::path& file) {
  const JsonValue value = root.required("scenario");
  // The name keeps the folder, where the scenario's own paths start.
  if (value.is_object()) return JsonDocument::parse(value.dump(), file.string() + "#scenario");
  if (!value.is_string()) value.fail_expected("the path of a scenario, or a scenario");
  return JsonDocument::read(file.parent_path() / value.string());
}

void check_size(const JsonObject& root, const ScenarioSweep& sweep) {
  std::uint64_t count = 1;
  for (const SweepAxis& axis : sweep.axes) {
    count *= axis.steps.size();
    if (count > kMostPoints)
      throw InputError(
          root.value().file(), "/axes", fmt::format("expected at most {} points", kMostPoints));
  }
}

}  // namespace

std::uint64_t ScenarioSweep::point_count() const {
  std::uint64_t count = 1;
  for (const SweepAxis& axis : axes) count *= axis.steps.size();
  return count;
}

std::vector<std::string> ScenarioSweep::keys() const {
  std::vector<std::string> all;
  for (const SweepAxis& axis : axes) all.insert(all.end(), axis.keys.begin(), axis.keys.end());
  return all;
}

std::vector<std::string> ScenarioSweep::values_at(std::uint64_t point) const {
  std::vector<std::string> values;
  std::uint64_t block = point_count();
  for (const SweepAxis& axis : axes) {
    block /= axis.steps.size();
    const auto& step = axis.steps[point / block % axis.steps.size()];
    values.insert(values.end(), step.begin(), step.end());
  }
  return values;
}

std::string ScenarioSweep::resolved() const {
  JsonWriter writer(0);
  writer.begin_object().field("schema", "epsim.sweep/1").field("name", name);
  writer.key("scenario").raw(scenario).key("axes").begin_array();
  for (const SweepAxis& axis : axes) {
    writer.begin_object().key("keys").begin_array();
    for (const std::string& key : axis.keys) writer.value(key);
    writer.end_array().key("steps").begin_array();
    for (const auto& step : axis.steps) {
      writer.begin_array();
      for (const std::string& value : step) writer.raw(value);
      writer.end_array();
    }
    writer.end_array().end_object();
  }
  std::string text = writer.end_array().end_object().take();
  text.pop_back();  // the newline
  return text;
}

std::string ScenarioSweep::placeless(std::string message) const {
  const auto replace_all = [&](const std::string& what, std::string_view by) {
    for (std::size_t at = 0; (at = message.find(what, at)) != std::string::npos; at += by.size())
      message.replace(at, what.size(), by);
  };
  replace_all(scenario_file, "scenario");
  const std::string folder = std::filesystem::path(scenario_file).parent_path().string();
  if (folder.size() > 1) replace_all(folder + "/", "");
  return message;
}

ScenarioSweep load_scenario_sweep(const std::filesystem::path& path) {
  return read_scenario_sweep(JsonDocument::read(path));
}

ScenarioSweep read_scenario_sweep(const JsonDocument& document) {
  JsonObject root = document.root().object();
  (void)root.required("schema").one_of({"epsim.sweep/1"});
  ScenarioSweep sweep;
  sweep.file = root.value().file();
  const auto name = root.optional("name");
  sweep.name = name ? name->string() : std::filesystem::path(sweep.file).stem().string();
  const JsonDocument base = read_base(root, sweep.file);
  sweep.scenario = base.root().dump();
  sweep.scenario_file = base.root().file();
  read_axes(root, sweep);
  read_seeds(root, base, sweep);
  root.finish();
  check_size(root, sweep);
  return sweep;
}

Scenario scenario_at(const ScenarioSweep& sweep, std::uint64_t point) {
  const std::vector<std::string> keys = sweep.keys();
  const std::vector<std::string> values = sweep.values_at(point);
  std::vector<std::string> settings;
  for (std::size_t i = 0; i < keys.size(); ++i) settings.push_back(keys[i] + "=" + values[i]);
  JsonDocument document = JsonDocument::parse(sweep.scenario, sweep.scenario_file);
  apply_settings(document, settings);
  return read_scenario(document, std::filesystem::path(sweep.scenario_file).parent_path());
}

}  // namespace epsim
