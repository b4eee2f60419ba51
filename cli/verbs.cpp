#include "cli/verbs.hpp"

#include <CLI/CLI.hpp>

#include "cli/commands.hpp"

namespace epsim {

void add_verbs(CLI::App& app) {
  add_run_command(app);
  add_sweep_command(app);
  add_show_command(app);
  add_explain_command(app);
  add_list_command(app);
  add_topology_command(app);
  CLI::App* calibrate = app.add_subcommand("calibrate", "measure kernels, fit constants to them");
  calibrate->require_subcommand(1);
  add_measure_verbs(*calibrate);
  add_samples_verb(*calibrate);
  add_derive_verbs(*calibrate);
  add_carry_verb(*calibrate);
  add_overlap_verb(*calibrate);
  add_step_verb(*calibrate);
  add_fit_verb(*calibrate);
  add_compute_verb(*calibrate);
  add_import_verb(*calibrate);
  add_network_verb(*calibrate);
  calibrate->footer("Example:\n  epsim calibrate fit --help");
  add_validate_command(app);
  add_check_command(app);
  add_litmus_command(app);
  add_replay_command(app);
  add_plan_command(app);
  add_export_command(app);
  add_completion_command(app);
  add_manual_command(app);
  app.footer("Example:\n  epsim run examples/deepseek_v3_decode_h200.json");
}

}  // namespace epsim
