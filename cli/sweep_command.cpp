// epsim sweep: the scenario of a sweep at every point of its axes, as a table in an SQLite file.
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <tbb/global_control.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/stop_signal.hpp"
#include "cli/sweep_run.hpp"
#include "sim/base/input_error.hpp"
#include "sim/sweep/sweep_results.hpp"
#include "sim/sweep/sweep_table.hpp"

namespace epsim {
namespace {

constexpr int kStopped = 130;  // as a shell says of a program that Ctrl-C ended
constexpr int kWorldFailed = 1;
constexpr int kInputWrong = 2;
constexpr int kOurBug = 70;

struct SweepCommandOptions {
  std::string sweep;
  std::string out;
  std::string json;
  std::string csv;
  std::optional<int> jobs;
};

std::size_t jobs_of(const SweepCommandOptions& options, const MpiWorld* world) {
  return static_cast<std::size_t>(options.jobs.value_or(world == nullptr ? 2 : 1));
}

// How many processes were started as one program, as far as their environment tells: Open MPI's
// mpirun, a PMI launcher's, and srun's job step, for a batch script alone has none.
int process_count() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"})
    if (const char* text = std::getenv(name)) return std::atoi(text);
  return 1;
}

// Which of them this one is, by the same.
int process_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"})
    if (const char* text = std::getenv(name)) return std::atoi(text);
  return 0;
}

// None where this process is alone. Where they cannot join, the first of them says why, for all.
std::unique_ptr<MpiWorld> join_others() {
  const int expected = process_count();
  if (expected <= 1) return nullptr;
  try {
    return MpiWorld::join(expected);
  } catch (const InputError&) {
    if (process_rank() > 0) throw CLI::RuntimeError(kInputWrong);
    throw;
  }
}

// A sweep none of whose points can be read is wrong as a whole: a misspelt key, most likely. Where
// one can, every key is one that a scenario has.
void expect_a_good_point(const std::vector<std::optional<std::string>>& refusals,
                         const ScenarioSweep& sweep) {
  for (const auto& refusal : refusals)
    if (!refusal) return;
  throw InputError(sweep.file,
                   "/axes",
                   fmt::format("expected a point that can be simulated, found {} that are refused, "
                               "the first with: {}",
                               refusals.size(),
                               *refusals.front()));
}

[[noreturn]] void say_how_to_resume(std::size_t finished, std::size_t total) {
  fmt::print(stderr,
             "epsim: stopped with {} of {} points finished; the same command goes on from there\n",
             finished,
             total);
  throw CLI::RuntimeError(kStopped);
}

std::vector<std::uint64_t> missing_points(const SweepTable& table, std::uint64_t total) {
  const std::vector<std::uint64_t> finished = table.finished();
  std::vector<std::uint64_t> missing;
  std::size_t f = 0;
  for (std::uint64_t point = 0; point < total; ++point) {
    if (f < finished.size() && finished[f] == point)
      ++f;
    else
      missing.push_back(point);
  }
  return missing;
}

// The other processes, as rank 0 sees them.
enum class Workers : std::uint8_t { waiting, working, dismissed };

// Fills the table and puts it in place. `world` is that of rank 0, or none.
void fill_table(const ScenarioSweep& sweep,
                SweepSimulator& simulator,
                const SweepCommandOptions& options,
                const SweepIdentity& identity,
                MpiWorld* world,
                Workers& workers) {
  SweepTable table(options.out, identity);
  const std::uint64_t total = sweep.point_count();
  const std::vector<std::uint64_t> missing = missing_points(table, total);
  const std::size_t before = total - missing.size();
  if (before > 0)
    fmt::print(stderr, "epsim: going on, {} of {} points are finished\n", before, total);

  const auto start = std::chrono::steady_clock::now();
  std::size_t done = 0;
  Progress progress("sweep", missing.size());
  const KeepPoint keep = [&](std::uint64_t point, std::string_view rows) {
    table.keep(point, rows);
    ++done;
    progress.step();
  };
  if (world == nullptr) {
    run_points_here(simulator, missing, jobs_of(options, world), keep);
  } else {
    workers = Workers::working;
    hand_out_points(*world, sweep, missing, keep);
    workers = Workers::dismissed;
  }
  progress.finish();
  if (done < missing.size()) say_how_to_resume(before + done, total);
  table.complete(sweep);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  fmt::print(stderr,
             "{} points in {:.1f} s, {:.1f} a second\n",
             done,
             took.count(),
             static_cast<double>(done) / took.count());
}

void print_table(const ScenarioSweep& sweep, const SweepCommandOptions& options) {
  if (!options.json.empty()) write_result(options.json, sweep_results_json(sweep, options.out));
  if (!options.csv.empty()) write_result(options.csv, sweep_results_csv(sweep, options.out));
  if (options.json != "-" && options.csv != "-")
    print_result(sweep_results_text(sweep, options.out));
}

// All that one process does, or rank 0 of several.
void sweep_points(const SweepCommandOptions& options, MpiWorld* world, Workers& workers) {
  if (options.out == "-") throw InputError("--out -", "", "a table goes to a file");
  const StopSignal stop;
  const ScenarioSweep sweep = load_scenario_sweep(options.sweep);
  SweepSimulator simulator(sweep);
  // This process has nothing else to do yet, whoever works later.
  const auto refusals = glance_at_points(sweep, simulator, jobs_of(options, nullptr));
  if (StopSignal::is_raised()) say_how_to_resume(0, sweep.point_count());
  expect_a_good_point(refusals, sweep);
  const SweepIdentity identity{
      .sweep = sweep.resolved(), .inputs = simulator.inputs(), .version = EPSIM_VERSION};
  if (is_complete_table(options.out, identity)) {
    fmt::print(stderr, "epsim: {} is complete\n", options.out);
    remove_unfinished_table(options.out);
  } else {
    fill_table(sweep, simulator, options, identity, world, workers);
  }
  print_table(sweep, options);
}

// To stderr, as main would; the exit code that it would give.
int told(const std::exception& error) {
  const bool is_bug = dynamic_cast<const std::logic_error*>(&error) != nullptr;
  const bool is_input = dynamic_cast<const InputError*>(&error) != nullptr;
  fmt::print(stderr, "{}: {}\n", is_bug ? "bug" : "epsim", error.what());
  return is_bug ? kOurBug : is_input ? kInputWrong : kWorldFailed;
}

// Rank 0. What goes wrong before points are handed out is its own to tell, in one line; while the
// others are at work they have to be ended.
void lead(const SweepCommandOptions& options, MpiWorld& world) {
  Workers workers = Workers::waiting;
  try {
    sweep_points(options, &world, workers);
  } catch (const std::exception& error) {
    if (workers == Workers::working) world.end_all(told(error));
    if (workers == Workers::waiting) dismiss_workers(world);
    throw;
  }
  if (workers == Workers::waiting) dismiss_workers(world);
}

void work(const SweepCommandOptions& options, MpiWorld& world) {
  try {
    work_on_points(world, options.sweep, jobs_of(options, &world));
  } catch (const std::exception& error) {
    world.end_all(told(error));
  }
}

void sweep(const SweepCommandOptions& options) {
  const std::unique_ptr<MpiWorld> world = join_others();
  const tbb::global_control jobs(tbb::global_control::max_allowed_parallelism,
                                 jobs_of(options, world.get()));
  Workers nobody = Workers::dismissed;
  if (!world) return sweep_points(options, nullptr, nobody);
  world->rank() == 0 ? lead(options, *world) : work(options, *world);
}

}  // namespace

void add_sweep_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("sweep", "predict a scenario at every point of some axes");
  const auto options = std::make_shared<SweepCommandOptions>();
  verb->add_option("SWEEP", options->sweep, "epsim.sweep/1 file")->required();
  verb->add_option("--out", options->out, "the table; an interrupted sweep goes on where it was")
      ->type_name("RESULTS.sqlite")
      ->required();
  add_json_option(*verb, options->json);
  verb->add_option("--csv", options->csv, "write the table as CSV to a file, or - for stdout")
      ->type_name("FILE");
  verb->add_option("--jobs",
                   options->jobs,
                   "points at a time, of each process under mpirun or srun; results are the same "
                   "for any number (2; under mpirun 1)")
      ->check(CLI::Range(1, 1024));
  verb->footer("Example:\n  epsim sweep examples/sweep_ll_tokens.json --out out/ll_tokens.sqlite");
  verb->callback([options] { sweep(*options); });
}

}  // namespace epsim
