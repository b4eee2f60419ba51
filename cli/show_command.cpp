// epsim show: a scenario with every default written out.
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace epsim {
namespace {

struct ShowOptions {
  ScenarioOptions scenario;
  std::string json = "-";
};

void show(const ShowOptions& options) {
  JsonWriter writer;
  write_scenario(load_scenario(options.scenario), writer);
  write_result(options.json, writer.take());
}

}  // namespace

void add_show_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("show", "print a scenario with every default filled in");
  const auto options = std::make_shared<ShowOptions>();
  add_scenario_options(*verb, options->scenario);
  add_json_option(*verb, options->json);
  verb->footer(
      "Example:\n  epsim show examples/deepseek_v3_decode_h200.json --set combine.fence=P3");
  verb->callback([options] { show(*options); });
}

}  // namespace epsim
