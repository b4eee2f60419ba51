// epsim validate: predictions against measurements.
#include <map>
#include <optional>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <CLI/CLI.hpp>

#include "calibrate/fence_deltas.hpp"
#include "calibrate/observation.hpp"
#include "calibrate/validate.hpp"
#include "calibrate/validate_figure.hpp"
#include "cli/commands.hpp"
#include "cli/compute_validation.hpp"
#include "cli/observation_workload.hpp"
#include "cli/overlap_validation.hpp"
#include "cli/progress.hpp"
#include "cli/sized_topologies.hpp"
#include "models/calibration.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "sim/prediction.hpp"

namespace epsim {
namespace {

struct ValidateOptions {
  std::vector<std::string> observations;
  std::string overlap;
  std::string compute;
  std::string calibration;
  std::string kernel;
  std::string system;
  std::uint32_t most_tokens = 0;  // 0: any number
  bool quick = false;
  std::string json;
  std::string markdown;
  std::string svg;
  bool fence_table = false;
  int jobs = 2;
};

// Calibrations by system, loaded when the first record asks.
class Systems {
 public:
  explicit Systems(std::string fixed) : fixed_(std::move(fixed)) {}

  // Nothing when no calibration knows the system or the kernel.
  const Calibration* find(const Observation& observation) {
    auto known = systems_.find(observation.system);
    if (known == systems_.end())
      known = systems_.emplace(observation.system, load(observation.system)).first;
    if (!known->second) return nullptr;
    for (const KernelFamily& family : known->second->families)
      if (family.name == observation.kernel) return &*known->second;
    return nullptr;
  }

 private:
  std::optional<Calibration> load(const std::string& system) const {
    if (fixed_.empty() && !has_calibration(system)) return std::nullopt;
    Calibration loaded = load_calibration(fixed_.empty() ? system : fixed_);
    if (loaded.system != system) return std::nullopt;
    return loaded;
  }

  std::string fixed_;
  std::map<std::string, std::optional<Calibration>> systems_;
};

struct Case {
  const Observation* observation;
  const ObservationSet* set;
  const Calibration* calibration;
  std::shared_ptr<const Topology> topology;
};

ValidationRecord validate_record(const Case& c, bool quick) {
  const Observation& observation = *c.observation;
  const KernelFamily& family = c.calibration->family(observation.kernel);
  const FamilyKind& kind = *find_family(observation.kernel);
  const Workload workload = workload_of(observation, *c.set, kind, c.topology);
  const Prediction prediction =
      predict(observation.op, workload, kind, c.calibration->hardware, family.constants);
  KernelFamily known = family;
  if (quick) known.fit.fitted.clear();  // nothing to move: what is left is the residuals' sigma
  const LatencyInterval interval = interval_of(prediction, workload, *c.calibration, known);
  const double stated = to_us(stated_latency(prediction, kind));
  const double share = stated / to_us(prediction.latency);
  bool fitted = false;
  for (const FitResidual& residual : family.fit.residuals)
    if (residual.id == observation.id && residual.fitted) fitted = true;
  return {.id = observation.id,
          .kernel = observation.kernel,
          .operation = std::string(kMoeOperationNames[static_cast<std::size_t>(observation.op)]),
          .system = observation.system,
          .ranks = observation.ranks,
          .measured_us = observation.latency_us,
          .predicted_us = stated,
          .low_us = interval.low_us * share,
          .high_us = interval.high_us * share,
          .in_range = in_range(workload, family),
          .fitted = fitted,
          .held_out = observation.held_out};
}

// What cannot be predicted, to be said at the end.
struct Skipped {
  std::map<std::string, std::size_t> uncalibrated;  // "kernel on system", and how many records
  std::size_t unknown_kernels = 0;
  std::size_t without_latency = 0;
};

std::string skipped_text(const Skipped& skipped) {
  std::string text;
  for (const auto& [what, count] : skipped.uncalibrated)
    text += fmt::format("left out: {} records of {}, which has no calibration\n", count, what);
  if (skipped.unknown_kernels > 0)
    text +=
        fmt::format("left out: {} records of kernels without a model\n", skipped.unknown_kernels);
  if (skipped.without_latency > 0)
    text += fmt::format("left out: {} records that state no latency\n", skipped.without_latency);
  return text;
}

// Records that can be predicted; `skipped` counts the others.
std::vector<Case> cases_of(const std::vector<ObservationSet>& sets,
                           const ValidateOptions& options,
                           Systems& systems,
                           Skipped& skipped) {
  SizedTopologies topologies;
  std::vector<Case> cases;
  for (const ObservationSet& set : sets) {
    skipped.unknown_kernels += set.unknown_kernels;
    skipped.without_latency += set.without_latency;
    for (const Observation& observation : set.records) {
      if (!options.kernel.empty() && observation.kernel != options.kernel) continue;
      if (!options.system.empty() && observation.system != options.system) continue;
      if (options.most_tokens > 0 && observation.tokens > options.most_tokens) continue;
      if (const Calibration* found = systems.find(observation); found != nullptr)
        cases.push_back({&observation, &set, found, topologies.find(found->topology, observation)});
      else
        ++skipped.uncalibrated[observation.kernel + " on " + observation.system];
    }
  }
  if (cases.empty())
    throw InputError(options.observations.front(),
                     "/records",
                     "expected a record of a calibrated system and kernel");
  return cases;
}

// "35 records of `a.json`, `b.json`"
std::string heading(const std::vector<ValidationRecord>& records,
                    const std::vector<ObservationSet>& sets) {
  std::string files;
  for (const ObservationSet& set : sets)
    files += fmt::format(
        "{}`{}`", files.empty() ? "" : ", ", std::filesystem::path(set.file).filename().string());
  return fmt::format("Predicted against measured: {} records of {}.", records.size(), files);
}

void run_validate(const ValidateOptions& options) {
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 static_cast<std::size_t>(options.jobs));
  std::vector<ObservationSet> sets;
  for (const std::string& file : options.observations) sets.push_back(read_observations(file));
  Systems systems(options.calibration);
  Skipped skipped;
  const std::vector<Case> cases = cases_of(sets, options, systems, skipped);

  Progress progress("validate", cases.size());
  std::vector<ValidationRecord> records(cases.size());
  tbb::parallel_for(std::size_t{0}, cases.size(), [&](std::size_t i) {
    records[i] = validate_record(cases[i], options.quick);
    progress.step();
  });
  progress.finish();
  std::vector<Observation> observations;
  for (const Case& c : cases) observations.push_back(*c.observation);

  const std::vector<FenceDelta> deltas = fence_deltas(observations, records);

  if (!options.json.empty()) {
    JsonWriter writer;
    if (options.fence_table)
      write_fence_table(deltas, writer);
    else
      write_validation(records, writer);
    write_result(options.json, writer.take());
  }
  if (!options.markdown.empty())
    write_result(options.markdown, validation_markdown(records, heading(records, sets)));
  if (!options.svg.empty()) write_result(options.svg, validation_svg(records));
  if (options.json != "-" && options.markdown != "-") {
    if (options.fence_table) {
      fmt::print("{}", fence_table_text(deltas));
    } else {
      fmt::print("{}", validation_text(records));
      fmt::print("{}", fence_deltas_text(deltas));
    }
    fmt::print("{}", skipped_text(skipped));
  }
}

}  // namespace

void add_validate_command(CLI::App& app) {
  CLI::App* validate = app.add_subcommand("validate", "compare predictions with measurements");
  const auto options = std::make_shared<ValidateOptions>();
  validate->add_option("--observations", options->observations, "epsim.observations/1 files");
  validate->add_option("--overlap",
                       options->overlap,
                       "instead: epsim.measurement/1 whose two-batch steps (M20) to predict");
  validate->add_option("--compute",
                       options->compute,
                       "instead: epsim.compute_records/1, whose kernels to predict on --system");
  validate->add_option("--calibration",
                       options->calibration,
                       "calibration name or file; default: the one of each record's system");
  validate->add_option("--kernel", options->kernel, "only records of this kernel family");
  validate->add_option(
      "--system", options->system, "only records of this system; --compute: default hgx-h800-cx7");
  validate
      ->add_option(
          "--most-tokens", options->most_tokens, "only records of at most so many tokens a rank")
      ->check(CLI::Range(1, 10'000'000));
  validate->add_flag(
      "--quick", options->quick, "intervals from residuals alone, without what each constant adds");
  validate->add_option(
      "--json", options->json, "write epsim.validation/1 to a file, or - for stdout");
  validate->add_option("--markdown", options->markdown, "write the accuracy table to a file, or -");
  validate->add_option("--svg", options->svg, "write a figure of predicted against measured");
  validate->add_flag(
      "--fence-table",
      options->fence_table,
      "instead of records: each pair with and without fences, as text and in --json");
  validate->add_option("--jobs", options->jobs, "threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  validate->footer("Example:\n  epsim validate --observations deepep_h200.json");
  validate->callback([options] {
    const int given = (options->observations.empty() ? 0 : 1) + (options->overlap.empty() ? 0 : 1) +
                      (options->compute.empty() ? 0 : 1);
    if (given != 1)
      throw CLI::ValidationError("validate",
                                 "takes one of --observations, --overlap and --compute");
    if (!options->compute.empty())
      validate_compute(options->compute,
                       options->system.empty() ? "hgx-h800-cx7" : options->system,
                       options->json);
    else if (options->overlap.empty())
      run_validate(*options);
    else
      validate_overlap(options->overlap,
                       options->calibration.empty() ? "hgx-h200" : options->calibration,
                       options->json,
                       options->jobs);
  });
}

}  // namespace epsim
