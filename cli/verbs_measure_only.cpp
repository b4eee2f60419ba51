#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace epsim {

void add_verbs(CLI::App& app) {
  CLI::App* calibrate = app.add_subcommand("calibrate", "measure kernels on this machine's GPUs");
  calibrate->require_subcommand(1);
  add_measure_verbs(*calibrate);
  add_samples_verb(*calibrate);
  app.footer("Built to measure only: a full build predicts.\nExample:\n  epsim calibrate list");
}

}  // namespace epsim
