#include "cli/commands.hpp"

#include <cerrno>
#include <cstdio>
#include <limits>
#include <system_error>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "sim/base/text_file.hpp"

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

void add_json_option(CLI::App& verb, std::string& target) {
  verb.add_option("--json", target, "write JSON to a file, or - for stdout")->type_name("FILE");
}

void write_result(const std::string& target, std::string_view text) {
  if (target == "-") return print_result(text);
  replace_text_file(target, text);
}

void print_result(std::string_view text) {
  std::string safe(text);
  // Names come from files: an escape sequence in one must not reach a terminal.
  for (char& c : safe)
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n') || c == '\x7f') c = '?';
  const bool is_written = std::fwrite(safe.data(), 1, safe.size(), stdout) == safe.size();
  if (!is_written || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "stdout");
}

}  // namespace epsim
