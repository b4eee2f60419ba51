#include "models/measured_stages.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

using Stages = std::set<StepStage>;

struct StageWord {
  std::string_view word;
  StepStage stage;
};
constexpr std::array kWords = {StageWord{"attention", StepStage::attention},
                               StageWord{"gate", StepStage::gate},
                               StageWord{"experts", StepStage::experts},
                               StageWord{"shared", StepStage::shared},
                               StageWord{"combine sum", StepStage::combine}};
constexpr std::string_view kAnd = " and ";
constexpr std::int64_t kMostTokens = 16'777'216;
constexpr double kLongestUs = 1e9;

Stages read_stages(const JsonValue& value) {
  const std::string text = value.string();
  Stages stages;
  std::string_view rest = text;
  while (true) {
    const std::size_t end = rest.find(kAnd);
    const std::string_view word = rest.substr(0, end);
    const auto* const found = std::find_if(
        kWords.begin(), kWords.end(), [&](const StageWord& known) { return known.word == word; });
    if (found == kWords.end() || !stages.insert(found->stage).second)
      value.fail_expected(
          "attention, gate, experts, shared or combine sum, each once, with \" and \" between");
    if (end == std::string_view::npos) return stages;
    rest.remove_prefix(end + kAnd.size());
  }
}

std::string name_of(const Stages& stages) {
  std::string name;
  for (const StageWord& known : kWords)
    if (stages.contains(known.stage))
      name += fmt::format("{}{}", name.empty() ? std::string_view() : kAnd, known.word);
  return name;
}

StageRow read_row(const JsonValue& value) {
  JsonObject object = value.object();
  StageRow row;
  row.stages = read_stages(object.required("stage"));
  row.tokens = object.required("tokens").integer_in(1, kMostTokens);
  row.context = object.required("context").integer_in(0, kMostTokens);
  const JsonValue time = object.required("time_us");
  row.time_us = time.number_in(0, kLongestUs);
  if (row.time_us <= 0) time.fail_expected("a time above 0 us");
  object.finish();
  return row;
}

// A stage has one time alone or together with the same others, at a place once.
void refuse_overlap(const StageRow& row, const StageRow& before, const JsonValue& value) {
  if (row.stages == before.stages) {
    if (row.tokens == before.tokens && row.context == before.context)
      value.fail(fmt::format(
          "a second time of the same stage at {} tokens and context {}", row.tokens, row.context));
    return;
  }
  for (const StepStage stage : row.stages)
    if (before.stages.contains(stage))
      value.fail("a stage that another row measures together with other stages than this one");
}

bool is_compute(const MoeTask& task) {
  return task.task.kernel_class == KernelClass::compute;
}

// Of the first layer and micro-batch: all have the same.
double law_us(const MoeStep& step, const Stages& stages) {
  double us = 0;
  for (const MoeTask& task : step.tasks)
    if (is_compute(task) && stages.contains(task.stage) &&
        task.task.layer == step.tasks.front().task.layer &&
        task.task.micro_batch == step.tasks.front().task.micro_batch)
      us += to_us(task.task.time);
  return us;
}

// A value on straight lines over the logarithm of the key plus one.
double on_curve(const std::map<std::int64_t, double>& curve, std::int64_t at) {
  check(!curve.empty(), "a curve has places");
  const auto after = curve.lower_bound(at);
  if (after == curve.begin()) return after->second;
  const auto before = std::prev(after);
  if (after == curve.end()) return before->second;
  const auto place = [](std::int64_t key) { return std::log1p(static_cast<double>(key)); };
  const double share =
      (place(at) - place(before->first)) / (place(after->first) - place(before->first));
  return before->second + share * (after->second - before->second);
}

double ratio_at(const StageTimes& times,
                const Stages& stages,
                std::int64_t tokens,
                std::int64_t context) {
  std::map<std::int64_t, std::map<std::int64_t, double>> by_context;
  for (const StageRow& row : times.rows) {
    if (row.stages != stages) continue;
    check(row.law_us > 0, "laws are asked before measured times are applied");
    by_context[row.context][row.tokens] = row.time_us / row.law_us;
  }
  std::map<std::int64_t, double> ratios;
  for (const auto& [place, curve] : by_context) ratios[place] = on_curve(curve, tokens);
  return on_curve(ratios, context);
}

}  // namespace

StageTimes read_stage_times(const JsonDocument& document) {
  JsonObject root = document.root().object();
  (void)root.required("schema").one_of({"epsim.compute_times/1"});
  StageTimes times;
  times.source = root.required("source").string();
  const JsonValue rows = root.required("rows");
  for (const JsonValue& value : rows.array()) {
    const StageRow row = read_row(value);
    for (const StageRow& before : times.rows) refuse_overlap(row, before, value);
    times.rows.push_back(row);
  }
  if (times.rows.empty()) rows.fail_expected("at least one measured stage");
  root.finish();
  return times;
}

StageTimes load_stage_times(std::string_view path) {
  return read_stage_times(JsonDocument::read(path));
}

std::string stage_times_text(const StageTimes& times) {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.compute_times/1").field("source", times.source);
  writer.key("rows").begin_array();
  for (const StageRow& row : times.rows)
    writer.begin_object()
        .field("stage", name_of(row.stages))
        .field("tokens", row.tokens)
        .field("context", row.context)
        .field("time_us", row.time_us)
        .end_object();
  writer.end_array().end_object();
  return writer.take();
}

StageTimes stage_times(const GpuStep& step,
                       const StepUnits& units,
                       std::int64_t tokens,
                       std::int64_t context,
                       std::string source) {
  check(!units.units.empty(), "a recorded step has layers");
  std::map<Stages, double> sums;
  const auto add = [&](const Stages& stages, const std::vector<std::uint32_t>& tasks) {
    for (const std::uint32_t index : tasks)
      if (step.tasks[index].kernel_class == KernelClass::compute)
        sums[stages] += to_us(step.tasks[index].time);
  };
  for (const StepUnit& unit : units.units) {
    add({StepStage::attention, StepStage::gate}, unit.attention);
    add({StepStage::experts}, unit.experts);
    add({StepStage::shared, StepStage::combine}, unit.shared);
  }
  StageTimes times{std::move(source), {}};
  for (const auto& [stages, us] : sums)
    times.rows.push_back(
        {stages, tokens, context, us / static_cast<double>(units.units.size()), 0});
  return times;
}

std::vector<std::string> set_laws(StageTimes& times, const LawOfStages& law) {
  std::map<std::pair<std::int64_t, std::int64_t>, MoeStep> steps;
  std::vector<std::string> unknown;
  for (StageRow& row : times.rows) {
    const std::pair place(row.tokens, row.context);
    if (!steps.contains(place)) steps.emplace(place, law(row.tokens, row.context));
    row.law_us = law_us(steps.at(place), row.stages);
    if (row.law_us <= 0)
      unknown.push_back(
          fmt::format("{} at {} tokens, context {}", name_of(row.stages), row.tokens, row.context));
  }
  std::erase_if(times.rows, [](const StageRow& row) { return row.law_us <= 0; });
  return unknown;
}

void apply_measured(MoeStep& step,
                    const StageTimes& times,
                    std::int64_t tokens,
                    std::int64_t context) {
  std::map<StepStage, double> ratios;
  for (const StageRow& row : times.rows)
    if (!ratios.contains(*row.stages.begin())) {
      const double ratio = ratio_at(times, row.stages, tokens, context);
      for (const StepStage stage : row.stages) ratios[stage] = ratio;
    }
  for (MoeTask& task : step.tasks)
    if (const auto ratio = ratios.find(task.stage); is_compute(task) && ratio != ratios.end())
      task.task.time = from_us(to_us(task.task.time) * ratio->second);
}

}  // namespace epsim
