// epsim calibrate carry: readings of a system that nobody has measured, from one that was.
#include <algorithm>
#include <memory>
#include <utility>

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
  std::string base;
  std::vector<std::string> kernels;
  std::vector<std::string> priors;
  std::string out;
};

// "deepep-ll-v1" or "deepep-ll-v1=deepep-ll-1.2.1", where the second is the measured one.
CarriedFamily carried_family(const std::string& text) {
  const std::size_t equal = text.find('=');
  if (equal == std::string::npos) return {.name = text};
  return {.name = text.substr(0, equal), .from = text.substr(equal + 1)};
}

// The hardware of `base` and those of its families that were not carried over anew.
void keep_base(const Readings& base, Readings& readings) {
  ConstantSet hardware = base.hardware;
  for (const Constant& constant : readings.hardware.all())
    if (!hardware.contains(constant.name)) hardware.put(constant);
  readings.hardware = std::move(hardware);
  for (const auto& family : base.families)
    if (std::none_of(readings.families.begin(), readings.families.end(), [&](const auto& other) {
          return other.first == family.first;
        }))
      readings.families.push_back(family);
}

void run_carry(const Options& options) {
  const Calibration measured = load_calibration(options.from);
  const GpuSpec from = load_topology(measured.topology).topology.gpu_spec();
  const GpuSpec to = load_topology(options.to).topology.gpu_spec();
  UnmeasuredSystem system{.name = options.to,
                          .topology = options.to,
                          .kernels = {},
                          .ratios = {.hbm_bandwidth = to.hbm_bandwidth.bytes_per_second /
                                                      from.hbm_bandwidth.bytes_per_second,
                                     .sm_count = static_cast<double>(to.sm_count) / from.sm_count}};
  for (const std::string& kernel : options.kernels)
    system.kernels.push_back(carried_family(kernel));
  for (const std::string& file : options.priors)
    system.priors = merge(std::move(system.priors), read_priors(file));
  Readings readings = carry_over(measured, system);
  if (!options.base.empty()) keep_base(load_readings(options.base), readings);
  replace_text_file(options.out, readings_text(readings));
  print_result(fmt::format(
      "{} hardware and network constants and {} families, from {} as priors of {}, wrote {}\n",
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
  verb->add_option("--from", options->from, "calibration of the measured system")
      ->type_name("CALIBRATION|FILE")
      ->required();
  verb->add_option("--to", options->to, "topology preset of the other one")
      ->type_name("TOPOLOGY")
      ->required();
  verb->add_option(
          "--kernel", options->kernels, "families to carry over: NAME, or NAME=MEASURED-NAME")
      ->required();
  verb->add_option("--priors",
                   options->priors,
                   "epsim.priors/1 files: network and family constants that go before");
  verb->add_option("--base", options->base, "readings whose hardware and other families are kept");
  verb->add_option("--out", options->out, "epsim.readings/1 to write")->required();
  verb->footer(
      "Example:\n  epsim calibrate carry --from hgx-h200 --to gb200-nvl72 \\\n"
      "    --kernel deepep-ll-1.2.1 --out calibrate/readings/gb200-nvl72.json");
  verb->callback([options] { run_carry(*options); });
}

}  // namespace epsim
