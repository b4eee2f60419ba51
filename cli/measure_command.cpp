// epsim calibrate list | run: the experiments, and measuring them on this machine's GPUs.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "calibrate/device_error.hpp"
#include "calibrate/experiment.hpp"
#include "calibrate/sweep.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/verbs.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/quantity_text.hpp"

namespace epsim {
namespace {

constexpr int kListedGpus = 4;

struct RunOptions {
  std::vector<std::string> only;
  int gpus = 0;
  std::string budget;
  std::string commit;
  std::string out;
  std::string recording;
};

std::string list_text() {
  std::string text;
  for (const Experiment& e : experiments())
    text += fmt::format("{:<4} {:<18} {:>2} GPU{}  {:>4} points  {}\n",
                        e.id,
                        e.name,
                        e.gpus_min,
                        e.gpus_min == 1 ? " " : "s",
                        e.points(kListedGpus).size(),
                        e.identifies);
  return text + fmt::format("(points on {} GPUs)\n", kListedGpus);
}

std::string list_json() {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.experiments/1").key("experiments").begin_array();
  for (const Experiment& e : experiments())
    writer.begin_object()
        .field("id", e.id)
        .field("name", e.name)
        .field("gpus_min", e.gpus_min)
        .field("points", e.points(kListedGpus).size())
        .field("identifies", e.identifies)
        .end_object();
  return writer.end_array().end_object().take();
}

// What a command prints, without its line end; empty when it fails.
std::string output_of(const char* command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command, "r"), pclose);
  std::string text;
  std::array<char, 256> piece{};
  while (pipe && std::fgets(piece.data(), piece.size(), pipe.get()) != nullptr)
    text += piece.data();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// The commit measured: as given ("abc" or "abc-dirty"), or else that of the current folder.
void set_commit(const std::string& given, SweepOptions& options) {
  constexpr std::string_view kDirty = "-dirty";
  options.commit = given;
  if (given.empty()) {
    options.commit = output_of("git rev-parse HEAD 2>/dev/null");
    options.dirty = !output_of("git status --porcelain 2>/dev/null").empty();
  } else if (given.ends_with(kDirty)) {
    options.commit.resize(given.size() - kDirty.size());
    options.dirty = true;
  }
  if (options.commit.empty())
    throw InputError("--commit", "", "expected the commit being measured: no git repository here");
}

std::chrono::seconds read_budget(const std::string& text) {
  try {
    return std::chrono::ceil<std::chrono::seconds>(parse_duration(text));
  } catch (const std::invalid_argument& error) {
    throw InputError("--budget", "", error.what());
  }
}

void run_measure(const RunOptions& given) {
  // A kernel that spins for a peer must never wait for a module to load. Before the first CUDA
  // call.
  ::setenv("CUDA_MODULE_LOADING", "EAGER", 1);
  SweepOptions options;
  options.only = given.only;
  options.gpus = given.gpus;
  options.out = given.out;
  options.recording = given.recording;
  set_commit(given.commit, options);
  options.command_line = "epsim calibrate run";
  for (const std::string& id : given.only) options.command_line += " --only " + id;
  if (given.gpus > 0) options.command_line += fmt::format(" --gpus {}", given.gpus);
  if (!given.budget.empty()) {
    options.command_line += " --budget " + given.budget;
    options.budget = read_budget(given.budget);
  }
  (void)chosen_experiments(options.only);  // a misspelt id is told before a GPU is looked for
  Progress progress("measuring");
  const SweepOutcome outcome = run_sweep(options, [&](const SweepProgress& state) {
    progress.note(fmt::format("{}/{} {}", state.done, state.total, state.now));
  });
  progress.finish();
  for (const std::string& line : outcome.skipped) fmt::print("skipped: {}\n", line);
  fmt::print("{} points measured, {} kept from earlier, {} left for another run; {}\n",
             outcome.measured,
             outcome.kept,
             outcome.left,
             given.out);
  for (const std::string& line : outcome.failed) fmt::print(stderr, "failed: {}\n", line);
  if (!outcome.failed.empty())
    throw DeviceError(fmt::format("{} points failed", outcome.failed.size()));
}

}  // namespace

void add_measure_verbs(CLI::App& calibrate) {
  CLI::App* list = calibrate.add_subcommand("list", "the experiments there are");
  const auto json = std::make_shared<std::string>();
  add_json_option(*list, *json);
  list->footer("Example:\n  epsim calibrate list");
  list->callback([json] {
    if (!json->empty()) write_result(*json, list_json());
    if (*json != "-") print_result(list_text());
  });

  CLI::App* run = calibrate.add_subcommand("run", "measure on this machine's GPUs");
  const auto options = std::make_shared<RunOptions>();
  run->add_option("--only", options->only, "experiments to run, such as M4,M8")
      ->type_name("EXPERIMENTS")
      ->delimiter(',');
  run->add_option("--gpus", options->gpus, "how many GPUs; default: all")->check(CLI::Range(1, 72));
  run->add_option("--budget", options->budget, "start no point after so long, such as 8min")
      ->type_name("TIME");
  run->add_option("--commit", options->commit, "commit being measured, where git cannot say")
      ->type_name("COMMIT");
  run->add_option("--out", options->out, "measurement to write; points that it holds are kept")
      ->required();
  run->add_option("--recording",
                  options->recording,
                  "write what CUPTI saw of the GPUs, for `epsim replay` to read");
  run->footer(
      "Example:\n  epsim calibrate run --only M4,M8 --gpus 4 --budget 8min --out h200_x4.json");
  run->callback([options] { run_measure(*options); });
}

}  // namespace epsim
