// epsim calibrate carry: readings of a system that nobody has measured, from one that was.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/carry_over.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "models/calibration.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct Options {
  std::string from;
  std::string to;
  std::vector<std::string> kernels;
  std::string out;
};

void run_carry(const Options& options) {
  const Calibration measured = load_calibration(options.from);
  const GpuSpec from = load_topology(measured.topology).topology.gpu_spec();
  const GpuSpec to = load_topology(options.to).topology.gpu_spec();
  const Readings readings =
      carry_over(measured,
                 {.name = options.to,
                  .topology = options.to,
                  .kernels = options.kernels,
                  .ratios = {.hbm_bandwidth = to.hbm_bandwidth.bytes_per_second /
                                              from.hbm_bandwidth.bytes_per_second,
                             .sm_count = static_cast<double>(to.sm_count) / from.sm_count}});
  replace_text_file(options.out, readings_text(readings));
  print_result(
      fmt::format("{} hardware constants and {} families of {} as priors of {}, wrote {}\n",
                  readings.hardware.all().size(),
                  readings.families.size(),
                  measured.system,
                  options.to,
                  options.out));
}

}  // namespace

void add_carry_verb(CLI::App& calibrate) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      calibrate.add_subcommand("carry", "guess constants of a system from those of another");
  verb->add_option("--from", options->from, "calibration of the measured system")->required();
  verb->add_option("--to", options->to, "topology preset of the other one")->required();
  verb->add_option("--kernel", options->kernels, "kernel families to carry over")->required();
  verb->add_option("--out", options->out, "epsim.readings/1 to write")->required();
  verb->footer(
      "Example:\n  epsim calibrate carry --from hgx-h200 --to gb200-nvl72 \\\n"
      "    --kernel deepep-ll-1.2.1 --out calibrate/readings/gb200-nvl72.json");
  verb->callback([options] { run_carry(*options); });
}

}  // namespace epsim
