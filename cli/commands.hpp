// Commands: the verbs of epsim, one function and one file each. What every verb shares stands here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.hpp"
#include "sim/scenario.hpp"

namespace CLI {
class App;
}

namespace epsim {

// Each adds its verb to the program: options, help with an example, and what it does.
void add_run_command(CLI::App& app);
void add_show_command(CLI::App& app);
void add_explain_command(CLI::App& app);
void add_list_command(CLI::App& app);
void add_topology_command(CLI::App& app);
void add_validate_command(CLI::App& app);
void add_check_command(CLI::App& app);
void add_litmus_command(CLI::App& app);
void add_replay_command(CLI::App& app);
void add_plan_command(CLI::App& app);
void add_sweep_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_completion_command(CLI::App& app);
void add_manual_command(CLI::App& app);

// A scenario file and what the command line changes of it.
struct ScenarioOptions {
  std::string path;
  std::vector<std::string> settings;
  std::optional<std::int64_t> seed;
};
void add_scenario_options(CLI::App& verb, ScenarioOptions& options);
void add_setting_option(CLI::App& verb, std::vector<std::string>& settings);
void add_seed_option(CLI::App& verb, std::optional<std::int64_t>& seed);
[[nodiscard]] Scenario load_scenario(const ScenarioOptions& options);
// Dispatch and combine, as far as the scenario asks for them.
[[nodiscard]] std::vector<MoeOperation> scenario_operations(const Scenario& scenario);

}  // namespace epsim
