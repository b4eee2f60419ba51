// epsim calibrate step: the step model's constants, as far as measurements give them.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/crowded_rounds.hpp"
#include "calibrate/step_derive.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json.hpp"
#include "sim/base/text_file.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct Options {
  std::vector<std::string> measurements;
  std::string constants;
  std::string out;
  std::string table;
};

std::string constant_line(const Constant& before, const Constant& now) {
  const std::string text = fmt::format(
      "{:15} {:.4g} {} [{:.4g}, {:.4g}], was {:.4g} [{:.4g}, "
      "{:.4g}]",
      now.name,
      now.value,
      now.unit,
      now.low,
      now.high,
      before.value,
      before.low,
      before.high);
  return text + (agree(before, now) ? "\n" : ": neither value lies in the other's interval\n");
}

std::string derivation_text(const ConstantSet& before, const StepDerivation& derived) {
  std::string text;
  for (const std::string& name : derived.derived)
    text += constant_line(before.at(name), derived.constants.at(name));
  text += "power over the limit, by the law and measured:\n";
  for (const PowerReading& reading : derived.power)
    text += fmt::format("  {:34} clock {:.3f}: {:.3f} {} {:.3f}\n",
                        reading.id,
                        reading.clock,
                        reading.predicted,
                        reading.is_limited ? "limit " : "sensor",
                        reading.power);
  text += "kept as they were:";
  for (const ConstantSpec& spec : step_constants()) {
    const auto& names = derived.derived;
    if (std::find(names.begin(), names.end(), spec.name) == names.end())
      text += fmt::format(" {}", spec.name);
  }
  return text + "\n";
}

std::string rounds_text(const CrowdedRounds& rounds, std::uint32_t sm_count) {
  const RoundError plain = round_error(rounds.gemms, sm_count);
  const RoundError quicker = round_error(rounds.gemms, sm_count, rounds.quicker);
  return fmt::format(
      "rounds beside holders, {} GEMMs of M26: the law's error is {:.1f} % at the median and "
      "{:.1f} % at most; {:.1f} % and {:.1f} % where a round is shorter by {:.3f} of the SMs' "
      "share "
      "that is held\n",
      rounds.gemms.size(),
      100 * plain.median,
      100 * plain.largest,
      100 * quicker.median,
      100 * quicker.largest,
      rounds.quicker);
}

void run_step_verb(const Options& options) {
  if (options.out.empty() && options.table.empty())
    throw InputError("epsim calibrate step", "", "expected --out, --table or both");
  const JsonDocument document = JsonDocument::read(options.constants);
  const ConstantSet before = read_step_constants(document);
  JsonObject root = document.root().object();
  const JsonValue system = root.required("system");
  const auto sm_count =
      static_cast<std::uint32_t>(load_topology(system).topology.gpu_spec().sm_count);
  std::vector<Measurement> files;
  for (const std::string& path : options.measurements) files.push_back(read_measurement(path));

  const StepDerivation derived = derive_step(before, files, sm_count);
  const CrowdedRounds rounds =
      crowded_rounds(files, sm_count, derived.constants.ratio("cluster_room"));
  std::string text = derivation_text(before, derived) + rounds_text(rounds, sm_count);
  if (!options.out.empty()) {
    replace_text_file(options.out, step_constants_text(system.string(), derived.constants));
    text += fmt::format("wrote {}\n", options.out);
  }
  if (!options.table.empty())
    write_result(options.table, crowded_rounds_markdown(rounds, sm_count));
  if (options.table != "-") print_result(text);
}

}  // namespace

void add_step_verb(CLI::App& calibrate) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      calibrate.add_subcommand("step", "read constants of what tasks do to each other");
  verb->add_option(
          "--measurement", options->measurements, "epsim.measurement/1 with M2, M4, M23, M24, M26")
      ->required();
  verb->add_option("--constants", options->constants, "epsim.step_constants/1 to start from")
      ->required();
  verb->add_option("--out", options->out, "epsim.step_constants/1 to write");
  verb->add_option("--table", options->table, "Markdown file of M26 against its law, - for stdout");
  verb->footer(
      "Example:\n  epsim calibrate step --measurement calibrate/results/h200_x4.json.gz \\\n"
      "    calibrate/results/h200_x2_overlap.json.gz --out step.json \\\n"
      "    --constants calibrate/results/step/hgx-h200.json");
  verb->callback([options] { run_step_verb(*options); });
}

}  // namespace epsim
