// epsim plan: which way of serving a model to choose.
#include <limits>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/recorded_stages.hpp"
#include "models/measured_stages.hpp"
#include "models/model_description.hpp"
#include "models/step_constants.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/quantity_text.hpp"
#include "sim/capacity/capacity_plan.hpp"

namespace epsim {
namespace {

struct PlanOptions {
  std::string model;
  std::string phase = "decode";
  std::string slo_ttft, slo_tpot;
  std::string compute_times;
  RecordedStep recorded;
  std::string trace_system = "hgx-h200";
  std::vector<std::string> micro_batching;
  CapacityQuestion question;
  std::string json;
  std::size_t jobs = 2;
};

std::optional<double> slo_of(const PlanOptions& options, ServingPhase phase) {
  const bool is_prefill = phase == ServingPhase::prefill;
  const std::string& other = is_prefill ? options.slo_tpot : options.slo_ttft;
  if (!other.empty())
    throw InputError(
        is_prefill ? "--slo-tpot" : "--slo-ttft",
        "",
        fmt::format(
            "expected {} for --phase {}", is_prefill ? "--slo-ttft" : "--slo-tpot", options.phase));
  const std::string& text = is_prefill ? options.slo_ttft : options.slo_tpot;
  if (text.empty()) return std::nullopt;
  const char* name = is_prefill ? "--slo-ttft" : "--slo-tpot";
  try {
    const Duration time = parse_duration(text);
    if (time > Duration{}) return to_us(time) / 1e3;
  } catch (const std::invalid_argument& error) {
    throw InputError(name, "", error.what());
  }
  throw InputError(name, "", fmt::format("expected a time above 0, found \"{}\"", text));
}

CapacityQuestion question_of(const PlanOptions& options) {
  if (options.model.empty())
    throw InputError("--model", "", "expected a name or a file, found \"\"");
  if (options.question.system.empty())
    throw InputError("--system", "", "expected a name or a file, found \"\"");
  CapacityQuestion question = options.question;
  question.model = load_model(options.model);
  question.phase = options.phase == "prefill" ? ServingPhase::prefill : ServingPhase::decode;
  question.slo_ms = slo_of(options, question.phase);
  for (const std::string& word : options.micro_batching)
    question.limits.micro_batching.push_back(word == "tbo" ? MicroBatching::tbo
                                                           : MicroBatching::none);
  if (!options.compute_times.empty())
    question.measured = read_stage_times(JsonDocument::read(options.compute_times));
  if (!options.recorded.file.empty()) {
    if (options.recorded.tokens == 0)
      throw InputError("--compute-trace", "", "expected --trace-tokens with it, found none");
    question.measured =
        recorded_stages(options.recorded, load_step_constants(options.trace_system));
  }
  return question;
}

void run(const PlanOptions& options) {
  const CapacityPlan plan = plan_capacity(question_of(options), options.jobs);
  if (!options.json.empty()) write_result(options.json, capacity_json(plan));
  if (options.json != "-") print_result(capacity_text(plan));
}

template <typename Value>
void add_list(CLI::App& verb, const char* name, std::vector<Value>& values, const char* what) {
  verb.add_option(name, values, what)->delimiter(',')->type_name("LIST")->group("Limits");
}

void add_limits(CLI::App& verb, const std::shared_ptr<PlanOptions>& options) {
  SearchLimits& limits = options->question.limits;
  const CLI::Range positive(std::int64_t{1}, std::int64_t{1} << 24);
  add_list(verb, "--ranks", limits.ranks, "EP degrees to try");
  add_list(verb, "--attention-ranks", limits.attention_ranks, "TP degrees of attention to try");
  add_list(verb,
           "--batch",
           limits.batches,
           "of an attention group and step: sequences of decode, tokens of prefill");
  add_list(verb, "--kernel", limits.kernels, "kernel families to try (epsim list kernels)");
  add_list(verb, "--sms", limits.sms, "SMs for communication to try, where kernels ask");
  add_list(verb, "--redundant", limits.redundant_experts, "copies of experts on all ranks to try");
  for (const char* name : {"--ranks", "--attention-ranks", "--batch", "--sms"})
    verb.get_option(name)->check(positive);
  verb.get_option("--redundant")->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 20));
  verb.add_option("--micro-batching", options->micro_batching, "none, tbo or both")
      ->delimiter(',')
      ->check(CLI::IsMember({"none", "tbo"}))
      ->group("Limits");
}

// Compute as the user measured it, in the place of the laws.
void add_measured(CLI::App& verb, const std::shared_ptr<PlanOptions>& options) {
  const CLI::Range tokens(std::int64_t{1}, std::int64_t{1} << 24);
  CLI::Option* times = verb.add_option("--compute-times",
                                       options->compute_times,
                                       "times of a layer's stages: an epsim.compute_times/1 file");
  times->type_name("FILE")->group("Measured compute");
  CLI::Option* trace =
      verb.add_option("--compute-trace", options->recorded.file, "the same, from a profiler dump");
  trace->type_name("TRACE")->excludes(times)->group("Measured compute");
  verb.add_option("--trace-tokens",
                  options->recorded.tokens,
                  "of an attention group and micro-batch in the dump")
      ->check(tokens)
      ->needs(trace)
      ->group("Measured compute");
  verb.add_option("--trace-context",
                  options->recorded.context,
                  "keys of a sequence before its first token in the dump")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 24))
      ->needs(trace)
      ->group("Measured compute");
  verb.add_option("--trace-system",
                  options->trace_system,
                  "constants of what the dump's kernels did to each other")
      ->type_name("NAME|FILE")
      ->capture_default_str()
      ->group("Measured compute");
}

}  // namespace

void add_plan_command(CLI::App& app) {
  CLI::App* verb =
      app.add_subcommand("plan", "which way of serving a model to choose, and what to expect");
  const auto options = std::make_shared<PlanOptions>();
  CapacityQuestion& question = options->question;
  question.gpus = 64;
  question.lengths = {.input = 4096, .output = 1024};
  const CLI::Range tokens(std::int64_t{1}, std::int64_t{1} << 24);
  verb->add_option("--model", options->model, "a preset (epsim list models) or a config.json")
      ->type_name("NAME|CONFIG")
      ->required();
  verb->add_option("--system", question.system, "a calibration (epsim list calibrations)")
      ->type_name("NAME")
      ->required();
  verb->add_option("--topology", question.topology, "another topology than the calibration's")
      ->type_name("NAME");
  verb->add_option("--gpus", question.gpus, "that there are")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  verb->add_option("--phase", options->phase, "which part of serving")
      ->check(CLI::IsMember({"prefill", "decode"}))
      ->capture_default_str();
  verb->add_option("--isl", question.lengths.input, "tokens of a prompt")
      ->check(tokens)
      ->capture_default_str();
  verb->add_option("--osl", question.lengths.output, "tokens of an answer")
      ->check(tokens)
      ->capture_default_str();
  verb->add_option(
          "--slo-ttft", options->slo_ttft, "most time to first token (prefill), as \"2 s\"")
      ->type_name("TIME");
  verb->add_option("--slo-tpot", options->slo_tpot, "most time per output token, as \"50 ms\"")
      ->type_name("TIME");
  verb->add_option("--routing", question.routing, "load on experts (epsim list routings)")
      ->capture_default_str();
  verb->add_option("--memory-share", question.memory_share, "of the GPU's memory that may be used")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  add_measured(*verb, options);
  verb->add_option("--seed", question.seed, "of routings")
      ->check(
          CLI::Range(std::uint64_t{0}, std::uint64_t{std::numeric_limits<std::int64_t>::max()}));
  add_limits(*verb, options);
  add_json_option(*verb, options->json);
  verb->add_option("--jobs", options->jobs, "threads; results are the same for any number")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->footer(
      "Example:\n  epsim plan --model deepseek-v3 --system hgx-h800-cx7 --gpus 144 --phase decode "
      "\\\n"
      "    --isl 4096 --osl 1024 --slo-tpot \"50 ms\" --json plan.json");
  verb->callback([options] { run(*options); });
}

}  // namespace epsim
