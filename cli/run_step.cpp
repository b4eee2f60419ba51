#include "cli/run_step.hpp"

#include <algorithm>

#include <tbb/parallel_for.h>

#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "models/step_constants.hpp"
#include "sim/scenario_reach.hpp"
#include "sim/step_report.hpp"
#include "sim/step_trace.hpp"

namespace epsim {

void run_step_scenario(const Scenario& scenario, const RunOutputs& outputs) {
  const Calibration calibration = load_calibration(scenario.calibration);
  require_network(scenario, calibration);
  // How kernels slow each other down was measured on the system that the calibration is of.
  const ConstantSet constants = load_step_constants(calibration.system);
  StepReport report = report_step(scenario, calibration, constants);

  report.variants = step_variants(*scenario.schedule);
  Scenario few = scenario;
  few.schedule->layers = std::min(kVariantLayers, few.schedule->layers);
  report.variant_layers = few.schedule->layers;
  const ModelledStep modelled = model_step(few, calibration);
  // Each variant fills its own place, so the order in which they end changes nothing.
  Progress progress("variants", report.variants.size());
  tbb::parallel_for(std::size_t{0}, report.variants.size(), [&](std::size_t i) {
    run_variant(modelled, constants, report.variants[i]);
    progress.step();
  });
  progress.finish();
  report.mechanisms = step_mechanisms(*scenario.schedule, report.variants);

  if (!outputs.trace.empty())
    write_result(outputs.trace, step_trace(scenario.name, report.scheduled.step, report.run));
  if (!outputs.json.empty())
    write_result(outputs.json, step_report_json(scenario, report, outputs.timeline));
  if (outputs.json != "-") print_result(step_report_text(scenario, report));
}

}  // namespace epsim
