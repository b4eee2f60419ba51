// epsim calibrate fit: from observations to the constants of a kernel family.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <CLI/CLI.hpp>

#include "calibrate/fit.hpp"
#include "calibrate/observation.hpp"
#include "cli/commands.hpp"
#include "cli/observation_workload.hpp"
#include "cli/progress.hpp"
#include "cli/verbs.hpp"
#include "models/calibration.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "sim/prediction.hpp"
#include "topologies/registry.hpp"

namespace epsim {
namespace {

struct FitOptions {
  std::string observations;
  std::string system;
  std::string kernel;
  std::string readings;
  std::string out;
  int jobs = 2;
};

// One observation of the family, ready to be predicted again and again.
struct FitCase {
  const Observation* observation;
  Workload workload;
  bool fitted;  // only random routings are fitted; others show whether the mechanism carries over
};

constexpr std::string_view kFittedRouting = "random";
constexpr double kNoise = 0.03;  // of one observation, repeat runs and routing draws included
constexpr double kTenToNinety = 2.5631;  // p10 to p90 of a normal distribution, in sigmas
constexpr double kTwoSided90 = 1.645;

std::vector<FitCase> cases_of(const ObservationSet& set,
                              const FitOptions& options,
                              const FamilyKind& kind,
                              const std::shared_ptr<const Topology>& topology) {
  std::vector<FitCase> cases;
  for (const Observation& observation : set.records)
    if (observation.kernel == options.kernel && observation.system == options.system)
      cases.push_back({&observation,
                       workload_of(observation, set, kind, topology),
                       observation.routing == kFittedRouting && !observation.held_out});
  if (std::none_of(cases.begin(), cases.end(), [](const FitCase& c) { return c.fitted; }))
    throw InputError(set.file,
                     "/records",
                     fmt::format("expected a record of kernel {} on {} with routing {}, found none",
                                 options.kernel,
                                 options.system,
                                 kFittedRouting));
  return cases;
}

std::vector<double> predict_all(const std::vector<const FitCase*>& cases,
                                const FamilyKind& kind,
                                const ConstantSet& hardware,
                                const ConstantSet& family) {
  std::vector<double> latencies(cases.size());
  tbb::parallel_for(std::size_t{0}, cases.size(), [&](std::size_t i) {
    latencies[i] = to_us(
        predict(cases[i]->observation->op, cases[i]->workload, kind, hardware, family).latency);
  });
  return latencies;
}

// Every constant of the family may move, as far from its reading as the reading's interval says,
// except where a measurement of its own gives it.
std::vector<FreeConstant> free_constants(const ConstantSet& readings, const FamilyKind& kind) {
  std::vector<FreeConstant> free;
  for (const ConstantSpec& spec : kind.constants()) {
    const Constant& reading = readings.at(spec.name);
    if (spec.is_measured || reading.low <= 0 || reading.high <= reading.low) continue;
    free.push_back({.name = reading.name,
                    .prior = reading.value,
                    .log_sigma = std::log(reading.high / reading.low) / kTenToNinety,
                    .low = spec.low,
                    .high = spec.high});
  }
  return free;
}

ConstantSet with_values(ConstantSet constants,
                        const std::vector<FreeConstant>& free,
                        std::span<const double> values) {
  for (std::size_t j = 0; j < free.size(); ++j) constants = constants.with(free[j].name, values[j]);
  return constants;
}

CalibratedRange range_of(const std::vector<FitCase>& cases) {
  constexpr auto kNothing = std::numeric_limits<std::int64_t>::max();
  CalibratedRange range{kNothing, 0, kNothing, 0, kNothing, 0, kNothing, 0, kNothing, 0};
  const auto widen = [](std::int64_t& low, std::int64_t& high, std::int64_t value) {
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const FitCase& c : cases) {
    if (!c.fitted) continue;
    widen(range.tokens_min, range.tokens_max, c.observation->tokens);
    widen(range.hidden_min, range.hidden_max, c.observation->hidden);
    widen(range.experts_min, range.experts_max, c.observation->experts);
    widen(range.top_k_min, range.top_k_max, c.observation->top_k);
    widen(range.ranks_min, range.ranks_max, c.observation->ranks);
  }
  return range;
}

// The readings with the fitted values in their place, each with its interval and its source.
ConstantSet fitted_constants(const ConstantSet& readings,
                             const std::vector<FreeConstant>& free,
                             const FitSolution& solution,
                             const std::string& observations) {
  ConstantSet constants = readings;
  for (std::size_t j = 0; j < free.size(); ++j) {
    Constant constant = readings.at(free[j].name);
    const double reach = kTwoSided90 * std::sqrt(solution.log_covariance[j][j]);
    constant.value = solution.values[j];
    constant.low = solution.values[j] * std::exp(-reach);
    constant.high = solution.values[j] * std::exp(reach);
    constant.source = fmt::format(
        "fitted on {} from the reading {:.4g} ({})", observations, free[j].prior, constant.source);
    constants.put(std::move(constant));
  }
  return constants;
}

KernelFamily fit_family(const FitOptions& options,
                        const ObservationSet& set,
                        const Readings& readings,
                        const ConstantSet& reading) {
  const FamilyKind& kind = *find_family(options.kernel);
  const auto topology = std::make_shared<const Topology>(load_topology(readings.topology).topology);
  const std::vector<FitCase> cases = cases_of(set, options, kind, topology);
  const std::vector<FreeConstant> free = free_constants(reading, kind);

  FitProblem problem{
      .constants = free, .measured = {}, .noise = kNoise, .predict = {}, .progress = {}};
  std::vector<const FitCase*> fitted;
  std::vector<const FitCase*> held_out;
  for (const FitCase& c : cases) {
    (c.fitted ? fitted : held_out).push_back(&c);
    if (c.fitted) problem.measured.push_back(c.observation->latency_us);
  }
  problem.predict = [&](std::span<const double> values) {
    return predict_all(fitted, kind, readings.hardware, with_values(reading, free, values));
  };
  Progress progress("fit " + options.kernel);
  problem.progress = [&](int iteration, double cost) {
    progress.note(fmt::format("iteration {}, cost {:.2f}", iteration, cost));
  };
  const FitSolution solution = solve_fit(problem);
  progress.finish();

  const std::string source = std::filesystem::path(set.file).filename().string();
  KernelFamily family{.name = options.kernel,
                      .constants = fitted_constants(reading, free, solution, source),
                      .range = range_of(cases),
                      .fit = {}};
  family.fit.command = fmt::format("epsim calibrate fit --observations {} --system {} --kernel {}",
                                   source,
                                   options.system,
                                   options.kernel);
  family.fit.observations = source;
  family.fit.residual_sigma = solution.residual_sigma;
  family.fit.covariance = solution.log_covariance;
  for (const FreeConstant& constant : free) family.fit.fitted.push_back(constant.name);
  const std::vector<double> others =
      predict_all(held_out, kind, readings.hardware, family.constants);
  std::size_t next_fitted = 0;
  std::size_t next_other = 0;
  for (const FitCase& c : cases) {
    const double predicted = c.fitted ? solution.predicted[next_fitted++] : others[next_other++];
    family.fit.residuals.push_back(
        {c.observation->id, (predicted / c.observation->latency_us - 1) * 100, c.fitted});
  }
  return family;
}

// What the constants moved by, and what is left.
std::string summary(const KernelFamily& family, const ConstantSet& readings) {
  std::string text = fmt::format(
      "{:<24}  {:>10}  {:>10}  {:>21}\n", "constant", "reading", "fitted", "90 % interval");
  for (const Constant& constant : family.constants.all())
    text += fmt::format("{:<24}  {:>10.4g}  {:>10.4g}  [{:>8.4g}, {:>8.4g}] {}\n",
                        constant.name,
                        readings.at(constant.name).value,
                        constant.value,
                        constant.low,
                        constant.high,
                        constant.unit);
  text += "\n";
  for (const FitResidual& residual : family.fit.residuals)
    text += fmt::format("{:+6.1f} %  {}{}\n",
                        residual.error_pct,
                        residual.id,
                        residual.fitted ? "" : "  (held out)");
  text += fmt::format("residual sigma {:.1f} %\n", family.fit.residual_sigma * 100);
  return text;
}

void run_fit(const FitOptions& options) {
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 static_cast<std::size_t>(options.jobs));
  if (find_family(options.kernel) == nullptr)
    throw InputError("--kernel", "", fmt::format("unknown kernel family \"{}\"", options.kernel));
  const Readings readings =
      load_readings(options.readings.empty() ? options.system : options.readings);
  const auto reading =
      std::find_if(readings.families.begin(), readings.families.end(), [&](const auto& entry) {
        return entry.first == options.kernel;
      });
  if (reading == readings.families.end())
    throw InputError("readings " + readings.system,
                     "/families",
                     fmt::format("expected readings of {}, found none", options.kernel));
  const ObservationSet set = read_observations(options.observations);

  // Other families of an existing file stay as they are.
  Calibration calibration{readings.system, readings.topology, readings.hardware, {}};
  if (std::filesystem::exists(options.out))
    for (KernelFamily& family : load_calibration(options.out).families)
      if (family.name != options.kernel) calibration.families.push_back(std::move(family));
  calibration.families.push_back(fit_family(options, set, readings, reading->second));
  std::sort(calibration.families.begin(),
            calibration.families.end(),
            [](const KernelFamily& a, const KernelFamily& b) { return a.name < b.name; });
  replace_text_file(options.out, calibration_text(calibration));
  fmt::print("{}", summary(calibration.family(options.kernel), reading->second));
  fmt::print("wrote {}\n", options.out);
}

}  // namespace

void add_fit_verb(CLI::App& calibrate) {
  CLI::App* fit =
      calibrate.add_subcommand("fit", "fit a kernel family's constants on observations");
  const auto options = std::make_shared<FitOptions>();
  fit->add_option("--observations", options->observations, "epsim.observations/1 file")->required();
  fit->add_option("--system", options->system, "system to calibrate, such as hgx-h200")->required();
  fit->add_option("--kernel", options->kernel, "kernel family, see epsim list kernels")->required();
  fit->add_option(
      "--readings", options->readings, "epsim.readings/1 name or file; default: the system's");
  fit->add_option("--out", options->out, "calibration to write; its other families are kept")
      ->required();
  fit->add_option("--jobs", options->jobs, "threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  fit->footer(
      "Example:\n  epsim calibrate fit --observations deepep_h200.json --system hgx-h200 \\\n"
      "    --kernel deepep-ll-1.2.1 --out calibrate/results/hgx-h200.json");
  fit->callback([options] { run_fit(*options); });
}

}  // namespace epsim
