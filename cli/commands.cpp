#include "cli/commands.hpp"

#include <limits>

#include <CLI/CLI.hpp>

namespace epsim {

void add_scenario_options(CLI::App& verb, ScenarioOptions& options) {
  verb.add_option("SCENARIO", options.path, "epsim.scenario/1 file")->required();
  verb.add_option("--set", options.settings, "change a value: dotted.key=value, may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  verb.add_option("--seed", options.seed, "seed of routing and launch skew, as --set seed=N")
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
