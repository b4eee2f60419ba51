// epsim calibrate fit: from observations to the constants of a kernel family.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <CLI/CLI.hpp>

#include "calibrate/fit.hpp"
#include "calibrate/observation.hpp"
#include "cli/commands.hpp"
#include "cli/fit_cases.hpp"
#include "cli/progress.hpp"
#include "cli/verbs.hpp"
#include "models/calibration.hpp"
#include "models/network_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "sim/prediction.hpp"

namespace epsim {
namespace {

struct FitOptions {
  FitSelection selection;
  std::string observations;
  std::string readings;
  std::string base;
  std::string out;
  std::vector<std::string> free;      // of the family; empty: all
  std::vector<std::string> hardware;  // and of the network
  bool no_search = false;
  int jobs = 2;
};

struct Constants {
  ConstantSet hardware;
  ConstantSet family;
};

constexpr double kNoise = 0.03;      // of one observation, repeat runs and routing draws included
constexpr double kDeltaNoise = 0.1;  // of what a fence adds, where it is fitted as such
constexpr double kLeastDelta = 1e-3;
constexpr double kTenToNinety = 2.5631;  // p10 to p90 of a normal distribution, in sigmas
constexpr double kTwoSided90 = 1.645;

std::vector<double> predict_all(const std::vector<const FitCase*>& cases,
                                const FamilyKind& kind,
                                const Constants& constants) {
  std::vector<double> latencies(cases.size());
  tbb::parallel_for(std::size_t{0}, cases.size(), [&](std::size_t i) {
    const Prediction prediction = predict(
        cases[i]->observation->op, cases[i]->workload, kind, constants.hardware, constants.family);
    latencies[i] = to_us(stated_latency(prediction, kind));
  });
  return latencies;
}

// What is fitted of each case: its latency, or what it takes longer than its twin.
std::vector<double> fitted_times(const std::vector<const FitCase*>& cases,
                                 const std::vector<double>& latencies) {
  std::vector<double> times = latencies;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    if (cases[i]->twin == nullptr) continue;
    const auto twin = std::find(cases.begin(), cases.end(), cases[i]->twin);
    times[i] =
        std::max(kLeastDelta, times[i] - latencies[static_cast<std::size_t>(twin - cases.begin())]);
  }
  return times;
}

void add_free(const Constant& reading,
              const ConstantSpec& spec,
              bool is_searched,
              std::vector<FreeConstant>& free) {
  if (reading.low <= 0 || reading.high <= reading.low) return;
  free.push_back({.name = reading.name,
                  .prior = reading.value,
                  .log_sigma = std::log(reading.high / reading.low) / kTenToNinety,
                  .low = spec.low,
                  .high = spec.high,
                  .is_searched = is_searched});
}

void require_known(const std::vector<std::string>& names, std::span<const ConstantSpec> specs) {
  for (const std::string& name : names)
    if (std::none_of(specs.begin(), specs.end(), [&](const auto& s) { return s.name == name; }))
      throw InputError("--free", "", fmt::format("the kernel has no constant \"{}\"", name));
}

const ConstantSpec& hardware_spec(const std::string& name) {
  for (const auto& specs : {hardware_constants(), network_constants()})
    for (const ConstantSpec& spec : specs)
      if (spec.name == name) return spec;
  throw InputError("--hardware", "", fmt::format("no hardware constant \"{}\"", name));
}

// Every constant of the family may move, or those that the caller names, as far from its reading
// as the reading's interval says, except where a measurement of its own gives it. Of the hardware
// and the network, what the caller says that nobody measured.
std::vector<FreeConstant> free_constants(const FitOptions& options,
                                         const Constants& readings,
                                         const FamilyKind& kind) {
  std::vector<FreeConstant> free;
  require_known(options.free, kind.constants());
  const auto is_free = [&](std::string_view name) {
    return options.free.empty() ||
           std::find(options.free.begin(), options.free.end(), name) != options.free.end();
  };
  for (const ConstantSpec& spec : kind.constants())
    if (!spec.is_measured && is_free(spec.name))
      add_free(readings.family.at(spec.name), spec, false, free);
  for (const std::string& name : options.hardware) {
    const ConstantSpec& spec = hardware_spec(name);
    if (!readings.hardware.contains(name))
      throw InputError("--hardware", "", fmt::format("the readings have no \"{}\"", name));
    add_free(readings.hardware.at(name), spec, !options.no_search, free);
  }
  if (free.empty())
    throw InputError("--free", "", "no constant can move: each is measured or has no interval");
  return free;
}

ConstantSet& home_of(const std::string& name, Constants& constants) {
  return constants.family.contains(name) ? constants.family : constants.hardware;
}

Constants with_values(Constants constants,
                      const std::vector<FreeConstant>& free,
                      std::span<const double> values) {
  for (std::size_t j = 0; j < free.size(); ++j) {
    ConstantSet& home = home_of(free[j].name, constants);
    home = home.with(free[j].name, values[j]);
  }
  return constants;
}

// The readings with the fitted values in their place, each with its interval and its source.
Constants fitted_constants(Constants constants,
                           const std::vector<FreeConstant>& free,
                           const FitSolution& solution,
                           const std::string& observations) {
  for (std::size_t j = 0; j < free.size(); ++j) {
    ConstantSet& home = home_of(free[j].name, constants);
    Constant constant = home.at(free[j].name);
    const double reach = kTwoSided90 * std::sqrt(solution.log_covariance[j][j]);
    constant.value = solution.values[j];
    constant.low = solution.values[j] * std::exp(-reach);
    constant.high = solution.values[j] * std::exp(reach);
    constant.source = fmt::format(
        "fitted on {} from the reading {:.4g} ({})", observations, free[j].prior, constant.source);
    home.put(std::move(constant));
  }
  return constants;
}

std::string command_of(const FitOptions& options, const std::string& observations) {
  std::string command = fmt::format("epsim calibrate fit --observations {} --system {} --kernel {}",
                                    observations,
                                    options.selection.system,
                                    options.selection.kernel);
  command += options_text(options.selection);
  if (!options.base.empty())
    command += " --base " + std::filesystem::path(options.base).filename().string();
  if (!options.free.empty()) command += fmt::format(" --free {}", fmt::join(options.free, ","));
  if (!options.hardware.empty())
    command += fmt::format(" --hardware {}", fmt::join(options.hardware, ","));
  if (options.no_search) command += " --no-search";
  return command;
}

struct Fitted {
  KernelFamily family;
  ConstantSet hardware;
};

Fitted fit_family(const FitOptions& options,
                  const ObservationSet& set,
                  const Calibration& base,
                  const ConstantSet& reading) {
  const std::string& kernel = options.selection.kernel;
  const FamilyKind& kind = *find_family(kernel);
  const std::vector<FitCase> cases = fit_cases(set, options.selection, kind, base.topology);
  const Constants prior{base.hardware, reading};
  const std::vector<FreeConstant> free = free_constants(options, prior, kind);

  FitProblem problem{.constants = free, .measured = {}, .noise = kNoise};
  std::vector<const FitCase*> fitted;
  std::vector<const FitCase*> held_out;
  for (const FitCase& c : cases) (c.fitted ? fitted : held_out).push_back(&c);
  for (const FitCase* c : fitted) problem.measured.push_back(c->observation->latency_us);
  problem.measured = fitted_times(fitted, problem.measured);
  for (const FitCase* c : fitted)
    problem.doubt.push_back(c->twin == nullptr ? 1 : kDeltaNoise / kNoise);
  problem.predict = [&](std::span<const double> values) {
    return fitted_times(fitted, predict_all(fitted, kind, with_values(prior, free, values)));
  };
  Progress progress("fit " + kernel);
  problem.progress = [&](int iteration, double cost) {
    progress.note(fmt::format("iteration {}, cost {:.2f}", iteration, cost));
  };
  const FitSolution solution = solve_fit(problem);
  progress.finish();

  const std::string source = std::filesystem::path(set.file).filename().string();
  const Constants constants = fitted_constants(prior, free, solution, source);
  KernelFamily family{
      .name = kernel, .constants = constants.family, .range = fitted_range(cases), .fit = {}};
  family.fit.command = command_of(options, source);
  family.fit.observations = source;
  family.fit.residual_sigma = solution.residual_sigma;
  family.fit.covariance = solution.log_covariance;
  for (const FreeConstant& constant : free) family.fit.fitted.push_back(constant.name);
  std::vector<const FitCase*> all;
  for (const FitCase& c : cases) all.push_back(&c);
  const std::vector<double> predicted = predict_all(all, kind, constants);
  for (std::size_t i = 0; i < all.size(); ++i)
    family.fit.residuals.push_back({all[i]->observation->id,
                                    (predicted[i] / all[i]->observation->latency_us - 1) * 100,
                                    all[i]->fitted});
  return {std::move(family), constants.hardware};
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

const ConstantSet& reading_of(const Readings& readings, const std::string& kernel) {
  for (const auto& [name, constants] : readings.families)
    if (name == kernel) return constants;
  throw InputError("readings " + readings.system,
                   "/families",
                   fmt::format("expected readings of {}, found none", kernel));
}

void run_fit(const FitOptions& options) {
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 static_cast<std::size_t>(options.jobs));
  const std::string& kernel = options.selection.kernel;
  if (find_family(kernel) == nullptr)
    throw InputError("--kernel", "", fmt::format("unknown kernel family \"{}\"", kernel));
  const Readings readings =
      load_readings(options.readings.empty() ? options.selection.system : options.readings);
  const ConstantSet& reading = reading_of(readings, kernel);
  const ObservationSet set = read_observations(options.observations);
  Calibration calibration = calibration_before(readings, kernel, options.base, options.out);
  Fitted fitted = fit_family(options, set, calibration, reading);
  calibration.hardware = std::move(fitted.hardware);
  calibration.families.push_back(std::move(fitted.family));
  std::sort(calibration.families.begin(),
            calibration.families.end(),
            [](const KernelFamily& a, const KernelFamily& b) { return a.name < b.name; });
  replace_text_file(options.out, calibration_text(calibration));
  fmt::print("{}", summary(calibration.family(kernel), reading));
  fmt::print("wrote {}\n", options.out);
}

}  // namespace

void add_fit_verb(CLI::App& calibrate) {
  CLI::App* fit =
      calibrate.add_subcommand("fit", "fit a kernel family's constants on observations");
  const auto options = std::make_shared<FitOptions>();
  fit->add_option("--observations", options->observations, "epsim.observations/1 file")->required();
  fit->add_option("--system", options->selection.system, "system to calibrate, such as hgx-h200")
      ->required();
  fit->add_option("--kernel", options->selection.kernel, "kernel family, see epsim list kernels")
      ->required();
  fit->add_option(
      "--readings", options->readings, "epsim.readings/1 name or file; default: the system's");
  fit->add_option("--out", options->out, "calibration to write; its other families are kept")
      ->required();
  fit->add_option("--base",
                  options->base,
                  "calibration whose hardware, network and other families are kept; default: the "
                  "readings' hardware, and the families of --out");
  fit->add_option(
         "--free", options->free, "constants of the kernel to fit; default: all not measured")
      ->type_name("CONSTANTS")
      ->delimiter(',');
  fit->add_option("--hardware",
                  options->hardware,
                  "hardware or network constants to fit too, where nobody measured them")
      ->type_name("CONSTANTS")
      ->delimiter(',');
  fit->add_flag("--no-search",
                options->no_search,
                "begin at the readings of --hardware instead of the best of some draws");
  fit->add_option("--ranks",
                  options->selection.ranks,
                  "fit only records of these numbers of ranks; the others are predicted")
      ->delimiter(',');
  fit->add_option("--most-tokens",
                  options->selection.most_tokens,
                  "fit only records of at most so many tokens a rank; the others are predicted")
      ->check(CLI::Range(1, 10'000'000));
  fit->add_flag(
      "--all-routings", options->selection.all_routings, "fit other routings than random, too");
  fit->add_flag("--fence-deltas",
                options->selection.fence_deltas,
                "fit what fences add, where a record without them is fitted as well");
  fit->add_option("--jobs", options->jobs, "threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  fit->footer(
      "Example:\n  epsim calibrate fit --observations deepep_h200.json --system hgx-h200 \\\n"
      "    --kernel deepep-ll-1.2.1 --out calibrate/results/hgx-h200.json");
  fit->callback([options] { run_fit(*options); });
}

}  // namespace epsim
