// epsim run: predict the operations of a scenario.
#include <memory>

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/run_step.hpp"
#include "models/calibration.hpp"
#include "sim/base/input_error.hpp"
#include "sim/perfetto_trace.hpp"
#include "sim/report.hpp"
#include "sim/report_text.hpp"
#include "sim/scenario_reach.hpp"

namespace epsim {
namespace {

struct RunOptions {
  ScenarioOptions scenario;
  RunOutputs outputs;
  int jobs = 2;
};

void run(const RunOptions& options) {
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 static_cast<std::size_t>(options.jobs));
  const RunOutputs& outputs = options.outputs;
  if (outputs.trace == "-") throw InputError("--trace -", "", "a trace goes to a file");
  const Scenario scenario = load_scenario(options.scenario);
  if (scenario.schedule) return run_step_scenario(scenario, outputs);
  const Calibration calibration = load_calibration(scenario.calibration);
  require_network(scenario, calibration);
  const KernelFamily& family = calibration.family(scenario.kernel);
  const FamilyKind& kind = *find_family(scenario.kernel);
  const Workload workload = make_workload(scenario);
  const std::vector<MoeOperation> operations = scenario_operations(scenario);
  const ExecuteOptions execution{.record_link_uses = !outputs.trace.empty() || outputs.timeline};

  // Each operation fills its own place, so the order in which they end changes nothing.
  Progress progress("predict", 2 * operations.size());
  std::vector<Prediction> predictions(operations.size());
  std::vector<Report> reports(operations.size());
  tbb::parallel_for(std::size_t{0}, operations.size(), [&](std::size_t i) {
    predictions[i] =
        predict(operations[i], workload, kind, calibration.hardware, family.constants, execution);
    progress.step();
    const LatencyInterval interval = interval_of(predictions[i], workload, calibration, family);
    reports[i] = summarize(predictions[i], workload, family, interval);
    progress.step();
  });
  progress.finish();

  if (!outputs.trace.empty())
    write_result(outputs.trace, perfetto_trace(predictions, *scenario.topology));
  if (outputs.timeline)
    write_result(outputs.json, report_json(scenario, reports, predictions));
  else if (!outputs.json.empty())
    write_result(outputs.json, report_json(scenario, reports));
  if (outputs.json != "-") print_result(report_text(scenario, reports));
}

}  // namespace

void add_run_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("run", "predict the operations of a scenario");
  const auto options = std::make_shared<RunOptions>();
  add_scenario_options(*verb, options->scenario);
  verb->add_option("--trace", options->outputs.trace, "write a timeline for ui.perfetto.dev")
      ->type_name("OUT.json.gz");
  add_json_option(*verb, options->outputs.json);
  verb->add_flag("--timeline",
                 options->outputs.timeline,
                 "in the JSON too: when things ran, for epsim export")
      ->needs("--json");
  verb->add_option("--jobs", options->jobs, "threads; results are the same for any number")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->footer(
      "Example:\n  epsim run examples/deepseek_v3_decode_h200.json --set "
      "traffic.tokens_per_rank=64 "
      "\\\n    --trace out.json.gz");
  verb->callback([options] { run(*options); });
}

}  // namespace epsim
