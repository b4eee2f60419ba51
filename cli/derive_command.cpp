// epsim calibrate derive | observe: what raw samples say, as constants and as observations.
#include <memory>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/derive.hpp"
#include "calibrate/observe.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "sim/base/text_file.hpp"

namespace epsim {
namespace {

struct Options {
  std::vector<std::string> measurements;
  std::string system;
  std::string readings;
  std::string out;
};

std::vector<Measurement> read_all(const Options& options) {
  std::vector<Measurement> files;
  for (const std::string& path : options.measurements) files.push_back(read_measurement(path));
  return files;
}

void run_derive(const Options& options) {
  const Derived derived =
      derive_readings(load_readings(options.readings.empty() ? options.system : options.readings),
                      read_all(options));
  replace_text_file(options.out, readings_text(derived.readings));
  std::string text;
  for (const std::string& line : derived.changed) text += line + "\n";
  text += fmt::format("{} constants read from measurements, {} kept as they were:",
                      derived.changed.size(),
                      derived.kept.size());
  for (const std::string& name : derived.kept) text += fmt::format("\n  {}", name);
  print_result(text + fmt::format("\nwrote {}\n", options.out));
}

void run_observe(const Options& options) {
  const ObservationSet set = observe_kernels(read_all(options), options.system);
  replace_text_file(options.out, observations_text(set));
  print_result(fmt::format("{} observations, wrote {}\n", set.records.size(), options.out));
}

CLI::App* add_verb(CLI::App& calibrate,
                   const std::string& name,
                   const std::string& what,
                   Options& options) {
  CLI::App* verb = calibrate.add_subcommand(name, what);
  verb->add_option("--measurements", options.measurements, "epsim.measurement/1 files")->required();
  verb->add_option("--system", options.system, "system that was measured, such as hgx-h200")
      ->required();
  verb->add_option("--out", options.out, "file to write")->required();
  return verb;
}

}  // namespace

void add_derive_verbs(CLI::App& calibrate) {
  const auto derive = std::make_shared<Options>();
  CLI::App* verb = add_verb(calibrate, "derive", "read constants off measurements", *derive);
  verb->add_option("--readings",
                   derive->readings,
                   "epsim.readings/1 to start from, name or file; default: the system's");
  verb->footer(
      "Example:\n  epsim calibrate derive --measurements calibrate/results/h200_x4.json.gz \\\n"
      "    --system hgx-h200 --out calibrate/readings/hgx-h200.json");
  verb->callback([derive] { run_derive(*derive); });

  const auto observe = std::make_shared<Options>();
  verb = add_verb(
      calibrate, "observe", "medians of our own kernels, to fit and to validate on", *observe);
  verb->footer(
      "Example:\n  epsim calibrate observe --measurements calibrate/results/h200_x4.json.gz \\\n"
      "    --system hgx-h200 --out calibrate/observations/epsim_h200.json");
  verb->callback([observe] { run_observe(*observe); });
}

}  // namespace epsim
