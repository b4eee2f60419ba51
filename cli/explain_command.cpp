// epsim explain: the plan of each operation, its bound and its bottleneck, in words.
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/explain_text.hpp"
#include "models/calibration.hpp"
#include "sim/report_text.hpp"
#include "sim/scenario_reach.hpp"

namespace epsim {
namespace {

struct ExplainOptions {
  ScenarioOptions scenario;
  std::string json;
};

void explain(const ExplainOptions& options) {
  const Scenario scenario = load_scenario(options.scenario);
  const Calibration calibration = load_calibration(scenario.calibration);
  require_network(scenario, calibration);
  const Workload workload = make_workload(scenario);
  const KernelFamily& family = calibration.family(scenario.kernel);
  std::string text = scenario_text(scenario);
  JsonWriter writer(4);
  writer.begin_object().field("schema", "epsim.explanation/1").key("scenario");
  write_scenario(scenario, writer);
  writer.key("operations").begin_array();
  for (const MoeOperation operation : scenario_operations(scenario)) {
    const Prediction prediction = predict(
        operation, workload, *find_family(scenario.kernel), calibration.hardware, family.constants);
    text += "\n" + explain_text(prediction, *scenario.topology);
    write_explanation(prediction, *scenario.topology, writer);
  }
  writer.end_array().end_object();
  if (!options.json.empty()) write_result(options.json, writer.take());
  if (options.json != "-") print_result(text);
}

}  // namespace

void add_explain_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("explain", "plan, lower bound and bottleneck in words");
  const auto options = std::make_shared<ExplainOptions>();
  add_scenario_options(*verb, options->scenario);
  add_json_option(*verb, options->json);
  verb->footer("Example:\n  epsim explain examples/deepseek_v3_decode_h200.json");
  verb->callback([options] { explain(*options); });
}

}  // namespace epsim
