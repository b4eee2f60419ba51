// epsim replay: what profiler dumps say about a step.
#include <cstddef>
#include <cstdio>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/replay_prediction.hpp"
#include "cli/replay_truth.hpp"
#include "sim/base/input_error.hpp"
#include "sim/replay_report.hpp"
#include "sim/replay_trace.hpp"
#include "sim/step_trace.hpp"
#include "traces/trace_step.hpp"

namespace epsim {
namespace {

struct ReplayOptions {
  std::vector<std::string> traces;
  std::vector<std::string> classes;
  std::string truth;
  std::string step;
  std::uint64_t steps = 0;
  ReplayQuestion question;
  std::string trace;
  std::string json;
};

KernelClassTable class_table(const ReplayOptions& options) {
  KernelClassTable table = KernelClassTable::built_in();
  for (const std::string& path : options.classes) table.add_rules(path);
  return table;
}

// What was asked; or else the step as recorded, played again so that its error can be seen, where
// the dump is no giant and holds steps at all.
std::optional<StepPrediction> predicted(const ReplayReport& report,
                                        const ReplayQuestion& question) {
  constexpr std::size_t kGiant = 200'000;
  if (question.is_asked()) return predict_replay(report, question);
  if (report.ranks.front().trace.activities.size() > kGiant) {
    fmt::print(stderr, "not played again: more than {} activities\n", kGiant);
    return std::nullopt;
  }
  try {
    return predict_replay(report, question);
  } catch (const InputError& error) {
    fmt::print(stderr, "not played again: {}\n", error.what());
    return std::nullopt;
  }
}

void replay(const ReplayOptions& options) {
  if (options.trace == "-") throw InputError("--trace -", "", "a trace goes to a file");
  const KernelClassTable table = class_table(options);
  if (!options.truth.empty())
    return compare_with_truth(options.truth, table, options.json, options.question.system);
  if (options.traces.empty())
    throw InputError("epsim replay", "", "expected a profiler dump or --truth, found none");
  Progress progress("read", options.traces.size());
  std::vector<GpuTrace> traces;
  for (const std::string& path : options.traces) {
    traces.push_back(read_gpu_trace(path));
    if (!options.step.empty()) traces.back() = step_of(traces.back(), options.step);
    progress.step();
  }
  progress.finish();
  const std::uint64_t steps = options.steps == 0 && !options.step.empty() ? 1 : options.steps;
  ReplayReport report = replay_report(std::move(traces), table, steps);
  ReplayQuestion question = options.question;
  question.steps = static_cast<std::uint32_t>(steps);
  const std::optional<StepPrediction> prediction = predicted(report, question);
  if (prediction) {
    report.predicted = replay_prediction(*prediction, question);
    if (!report.are_steps_told) report.steps = prediction->step_count;
  }
  if (!options.trace.empty())
    write_result(options.trace,
                 question.is_asked()
                     ? step_trace(report.predicted->schedule, prediction->step, prediction->run)
                     : replay_trace(report));
  if (!options.json.empty()) write_result(options.json, replay_json(report));
  if (options.json != "-") print_result(replay_text(report));
}

}  // namespace

void add_replay_command(CLI::App& app) {
  CLI::App* verb = app.add_subcommand("replay", "what profiler dumps say about overlap");
  const auto options = std::make_shared<ReplayOptions>();
  CLI::Option* traces = verb->add_option("TRACE", options->traces, "profiler dumps, one a rank");
  verb->add_option("--classes", options->classes, "rules for kernel names, before those built in")
      ->type_name("FILE");
  verb->add_option("--step", options->step, "only what was launched in a range: ProfilerStep#5, 5")
      ->type_name("NAME");
  verb->add_option("--steps", options->steps, "how many steps a dump holds, where it does not say")
      ->check(CLI::Range(1, 1'000'000));
  verb->add_option("--schedule", options->question.schedule, "predict the step under a schedule")
      ->check(CLI::IsMember({"serial", "tbo"}));
  verb->add_option("--whatif", options->question.rules, "predict the step after edits")
      ->type_name("RULES.json");
  verb->add_option("--micro-batches", options->question.micro_batches, "that the recorded step has")
      ->check(CLI::Range(1, 2));
  verb->add_option(
          "--system", options->question.system, "constants of what kernels do to each other")
      ->type_name("NAME|FILE")
      ->capture_default_str();
  verb->add_option("--trace",
                   options->trace,
                   "write the classified trace, or the predicted step, for ui.perfetto.dev")
      ->type_name("OUT.json.gz");
  verb->add_option("--truth", options->truth, "compare with a table of known overlaps instead")
      ->type_name("FILE")
      ->excludes(traces);
  add_json_option(*verb, options->json);
  verb->footer(
      "Example:\n  epsim replay rank0.json.gz rank1.json.gz --trace out.json.gz\n"
      "  epsim replay rank0.json.gz --schedule tbo");
  verb->callback([options] { replay(*options); });
}

}  // namespace epsim
