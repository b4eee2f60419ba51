// Scenario: what to simulate. Parsed, checked, and with every default filled in.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/kernel_families.hpp"
#include "models/workload.hpp"
#include "sim/base/json.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/schedule_spec.hpp"
#include "topologies/topology.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {

struct Scenario {
  std::string file;  // where it was read from, for messages
  std::string name;
  std::string topology_name;
  std::string topology_override;        // JSON text as given, "{}" when there is none
  std::vector<std::string> overridden;  // what the overrides changed
  std::shared_ptr<const Topology> topology;
  std::uint32_t gpu_count = 0;  // of all hosts, of which a fold keeps one
  Fold fold;                    // by "symmetry": ranks of one host, which stands for all
  RoutingSpec routing;
  std::string placement;  // JSON text as given: "contiguous", "round-robin" or an array
  std::shared_ptr<const ExpertPlacement> experts;
  std::int64_t hidden = 0;
  std::string kernel;  // a family's name; empty where a step exchanges by collectives alone
  bool run_dispatch = true;
  bool run_combine = true;
  DispatchFormat dispatch_format = DispatchFormat::fp8;
  CombineFormat combine_format = CombineFormat::bf16;
  FencePlacement fence = FencePlacement::P0;  // of the combine
  FenceForm fence_form;
  FenceChoice dispatch_fence;
  std::int64_t sms = 0;
  bool counted = false;
  SplitLaunch split;
  ExchangeOptions exchange;
  bool fluid_fabric = false;
  Duration launch_skew{};                // ranks start uniformly within this
  std::optional<ScheduleSpec> schedule;  // a whole step, instead of its exchange alone
  std::string calibration;
  std::uint64_t seed = 0;
};

// Each `setting` is "dotted.key=value", applied before reading. Throws InputError.
void apply_settings(JsonDocument& document, const std::vector<std::string>& settings);
[[nodiscard]] Scenario load_scenario(const std::filesystem::path& path,
                                     const std::vector<std::string>& settings = {});
[[nodiscard]] Scenario read_scenario(const JsonDocument& document,
                                     const std::filesystem::path& folder);

// The scenario as a file with every default written out.
void write_scenario(const Scenario& scenario, JsonWriter& writer);

// Draws the routing and fills in the rest: what the kernel models take. Throws InputError where the
// scenario names no kernel.
[[nodiscard]] Workload make_workload(const Scenario& scenario);

}  // namespace epsim
