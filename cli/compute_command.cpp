// epsim calibrate compute: constants of block-scaled GEMMs and of latent decode, from published
// times of single kernels.
#include <memory>
#include <string>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/compute_records.hpp"
#include "cli/compute_validation.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace epsim {
namespace {

struct Options {
  std::string records;
  std::string system = "hgx-h800-cx7";
};

void run_compute(const Options& options) {
  const ComputeSystem system(options.system);
  const ComputeLaw fitted =
      fit_compute_law(read_compute_records(options.records), system.machine(), options.records);
  const ComputeLaw built_in;
  const auto row = [](const char* name, double now, double here, const char* unit) {
    return fmt::format("{:<34} {:>9.4f} {:>9.4f} {}\n", name, now, here, unit);
  };
  print_result(fmt::format("{:<34} {:>9} {:>9}\n", "constant", "built in", "fitted") +
               row("block-scaled GEMM, fixed",
                   built_in.block_scaled.fixed_us,
                   fitted.block_scaled.fixed_us,
                   "us") +
               row("block-scaled GEMM, 128 of depth",
                   built_in.block_scaled.block_us,
                   fitted.block_scaled.block_us,
                   "us") +
               row("latent decode, fixed", built_in.latent_fixed_us, fitted.latent_fixed_us, "us") +
               row("latent decode, rate", built_in.latent_tflops, fitted.latent_tflops, "TFLOP/s") +
               "The rate built in is another kernel's: FlashMLA's, by its README.\n");
}

}  // namespace

void add_compute_verb(CLI::App& calibrate) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      calibrate.add_subcommand("compute", "fit laws of single kernels to published times");
  verb->add_option("--records", options->records, "epsim.compute_records/1")->required();
  verb->add_option("--system", options->system, "calibration of the system that was measured")
      ->capture_default_str();
  verb->footer(
      "Example:\n  epsim calibrate compute --records calibrate/observations/compute_h800.json");
  verb->callback([options] { run_compute(*options); });
}

}  // namespace epsim
