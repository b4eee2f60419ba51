#include "cli/commands.hpp"

#include <limits>

#include <CLI/CLI.hpp>

namespace epsim {

void add_scenario_options(CLI::App& verb, ScenarioOptions& options) {
  verb.add_option("SCENARIO", options.path, "epsim.scenario/1 file")->required();
  add_setting_option(verb, options.settings);
  add_seed_option(verb, options.seed);
}

void add_setting_option(CLI::App& verb, std::vector<std::string>& settings) {
  verb.add_option("--set", settings, "change a value: dotted.key=value, may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

void add_seed_option(CLI::App& verb, std::optional<std::int64_t>& seed) {
  verb.add_option("--seed", seed, "seed of routing and launch skew, as --set seed=N")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
}

Scenario load_scenario(const ScenarioOptions& options) {
  std::vector<std::string> settings = options.settings;
  if (options.seed) settings.emplace_back("seed=" + std::to_string(*options.seed));
  return load_scenario(options.path, settings);
}

std::vector<MoeOperation> scenario_operations(const Scenario& scenario) {
  std::vector<MoeOperation> operations;
  if (scenario.run_dispatch) operations.push_back(MoeOperation::dispatch);
  if (scenario.run_combine) operations.push_back(MoeOperation::combine);
  return operations;
}

}  // namespace epsim
