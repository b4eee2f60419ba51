// epsim calibrate overlap: constants of GEMMs and of exchanges beside them, into a calibration.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/two_batch_derive.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "models/calibration.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct Options {
  std::string measurement;
  std::string calibration;
  std::string out;
};

// What `validate --overlap` derives each time, for scenarios that model their compute.
void run_overlap(const Options& options) {
  Calibration calibration = load_calibration(options.calibration);
  const Topology topology = load_topology(calibration.topology).topology;
  const auto sm_count = static_cast<std::uint32_t>(topology.gpu_spec().sm_count);
  const ConstantSet derived =
      derive_two_batch(read_measurement(options.measurement), sm_count).constants;
  calibration.overlap = {};
  for (const ConstantSpec& spec : two_batch_constants())
    calibration.overlap.put(derived.at(spec.name));
  replace_text_file(options.out, calibration_text(calibration));
  print_result(fmt::format("{} constants of GEMMs and exchanges, wrote {}\n",
                           calibration.overlap.all().size(),
                           options.out));
}

}  // namespace

void add_overlap_verb(CLI::App& calibrate) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      calibrate.add_subcommand("overlap", "put constants of GEMMs beside exchanges in place");
  verb->add_option("--measurement", options->measurement, "epsim.measurement/1 with M17 and M20")
      ->required();
  verb->add_option("--calibration", options->calibration, "to start from, name or file")
      ->required();
  verb->add_option("--out", options->out, "calibration to write")->required();
  verb->footer(
      "Example:\n  epsim calibrate overlap --measurement calibrate/results/h200_x4.json.gz \\\n"
      "    --calibration calibrate/results/hgx-h200.json --out calibrate/results/hgx-h200.json");
  verb->callback([options] { run_overlap(*options); });
}

}  // namespace epsim
