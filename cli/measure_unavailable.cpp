// epsim calibrate list | run in a build without CUDA: they say so.
#include <memory>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include "cli/verbs.hpp"

namespace epsim {

void add_measure_verbs(CLI::App& calibrate) {
  for (const char* name : {"list", "run"}) {
    CLI::App* verb = calibrate.add_subcommand(name, "needs a build with CUDA: not in this one");
    verb->allow_extras();
    verb->callback([] {
      throw std::runtime_error(
          "this build has no CUDA: install the CUDA Toolkit with CUPTI and configure again");
    });
  }
}

}  // namespace epsim
