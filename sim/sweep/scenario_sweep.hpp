// ScenarioSweep: an epsim.sweep/1 file: a scenario, and axes, keys of it that take one value after
// the other. Points are the product of the axes in the order of the file, the last axis fastest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/base/json.hpp"
#include "sim/scenario.hpp"

namespace epsim {

// One key, or several that advance together.
struct SweepAxis {
  std::vector<std::string> keys;                // dotted, as --set takes them
  std::vector<std::vector<std::string>> steps;  // the value of each key, as JSON text
};

struct ScenarioSweep {
  std::string file;
  std::string name;
  std::string scenario_file;  // stands for the scenario in messages; paths in it start beside it
  std::string scenario;       // JSON text
  std::vector<SweepAxis> axes;

  [[nodiscard]] std::uint64_t point_count() const;
  [[nodiscard]] std::vector<std::string> keys() const;  // of all axes
  // What the keys are at a point, in their order, as JSON text.
  [[nodiscard]] std::vector<std::string> values_at(std::uint64_t point) const;
  // All that tells this sweep from another, wherever its files lie: JSON on one line.
  [[nodiscard]] std::string resolved() const;
  // A message of an InputError with no word of where the scenario lies.
  [[nodiscard]] std::string placeless(std::string message) const;
};

inline constexpr std::uint64_t kMostPoints = 1'000'000;

// Throws InputError, as both below. A sweep whose scenario is another file reads that too.
[[nodiscard]] ScenarioSweep load_scenario_sweep(const std::filesystem::path& path);
[[nodiscard]] ScenarioSweep read_scenario_sweep(const JsonDocument& document);

// The scenario of a point. Throws InputError where it is refused.
[[nodiscard]] Scenario scenario_at(const ScenarioSweep& sweep, std::uint64_t point);

}  // namespace epsim
