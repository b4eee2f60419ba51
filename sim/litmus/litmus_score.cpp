#include "sim/litmus/litmus_score.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "sim/base/json_writer.hpp"

namespace epsim {
namespace {

constexpr std::size_t index_of(LitmusModel model) {
  return static_cast<std::size_t>(model);
}

LitmusModel newest_with_verdict(const LitmusTest& test) {
  const bool has_only_old = !test.reachable[index_of(LitmusModel::ptx_7_5)] &&
                            test.reachable[index_of(LitmusModel::ptx_6_0)];
  return has_only_old ? LitmusModel::ptx_6_0 : LitmusModel::ptx_7_5;
}

void count(LitmusOutcome outcome, SuiteScore& score) {
  switch (outcome) {
    case LitmusOutcome::agreed:
      ++score.agreed;
      ++score.programs;
      break;
    case LitmusOutcome::missed:
      ++score.missed;
      ++score.programs;
      break;
    case LitmusOutcome::false_alarm:
      ++score.false_alarms;
      ++score.programs;
      break;
    case LitmusOutcome::disputed:
      ++score.disputed;
      break;
    case LitmusOutcome::termination:
      ++score.termination;
      break;
    case LitmusOutcome::unjudged:
      ++score.unjudged;
      break;
    case LitmusOutcome::outside:
      ++score.outside;
      break;
  }
}

bool is_scored(LitmusOutcome outcome) {
  return outcome == LitmusOutcome::agreed || outcome == LitmusOutcome::missed ||
         outcome == LitmusOutcome::false_alarm;
}

const char* reach_word(bool is_reachable) {
  return is_reachable ? "reachable" : "unreachable";
}

void write_suite(const SuiteScore& score, JsonWriter& writer) {
  writer.begin_object()
      .field("suite", score.suite)
      .field("files", score.files)
      .field("programs", score.programs)
      .field("agreed", score.agreed)
      .field("missed", score.missed)
      .field("false_alarms", score.false_alarms)
      .field("disputed", score.disputed)
      .field("termination", score.termination)
      .field("unjudged", score.unjudged)
      .field("outside_model", score.outside)
      .end_object();
}

void write_result(const LitmusResult& result, JsonWriter& writer) {
  writer.begin_object()
      .field("file", result.file)
      .field("id", result.id)
      .field("suite", result.suite)
      .field("dup_group", result.dup_group)
      .field("model", kLitmusModelNames[index_of(result.model)])
      .field("outcome", kLitmusOutcomeNames[static_cast<std::size_t>(result.outcome)]);
  writer.key("expected");
  result.expected ? writer.value(*result.expected) : writer.null();
  writer.key("reachable");
  result.verdict ? writer.value(result.verdict->is_reachable) : writer.null();
  if (result.verdict) {
    writer.field("executions", result.verdict->executions).key("witness").begin_array();
    for (const std::string& line : result.verdict->witness) writer.value(line);
    writer.end_array();
  }
  writer.end_object();
}

std::string line_of(const LitmusResult& result) {
  std::string text = fmt::format("{:<13} {:<12} {}",
                                 kLitmusOutcomeNames[static_cast<std::size_t>(result.outcome)],
                                 result.verdict ? reach_word(result.verdict->is_reachable) : "-",
                                 result.id);
  const bool is_wrong =
      result.outcome == LitmusOutcome::missed || result.outcome == LitmusOutcome::false_alarm;
  if (is_wrong)
    text += fmt::format(": {} says {}", result.file, reach_word(result.expected.value_or(false)));
  return text + "\n";
}

std::string row_of(const SuiteScore& score) {
  return fmt::format("{:<16} {:>5} {:>9} {:>7} {:>7} {:>13} {:>9} {:>12} {:>9}\n",
                     score.suite.empty() ? "no suite" : score.suite,
                     score.files,
                     score.programs,
                     score.agreed,
                     score.missed,
                     score.false_alarms,
                     score.disputed,
                     score.termination,
                     score.unjudged + score.outside);
}

}  // namespace

LitmusResult score(const LitmusTest& test, std::optional<LitmusModel> model) {
  LitmusResult result{.file = test.file,
                      .id = test.id,
                      .suite = test.suite,
                      .dup_group = test.dup_group,
                      .model = model.value_or(newest_with_verdict(test)),
                      .outcome = LitmusOutcome::unjudged,
                      .expected = {},
                      .verdict = {}};
  result.expected = test.reachable[index_of(result.model)];
  if (test.asks_termination) {
    result.outcome = LitmusOutcome::termination;
    return result;
  }
  if (result.model == LitmusModel::ptx_6_0 && test.needs_proxies()) {
    result.outcome = LitmusOutcome::outside;
    return result;
  }
  result.verdict = decide(test, result.model);
  if (test.is_disputed)
    result.outcome = LitmusOutcome::disputed;
  else if (result.expected)
    result.outcome = *result.expected == result.verdict->is_reachable ? LitmusOutcome::agreed
                     : *result.expected                               ? LitmusOutcome::missed
                                                                      : LitmusOutcome::false_alarm;
  return result;
}

LitmusScore summarize(std::span<const LitmusResult> results) {
  LitmusScore score;
  score.total.suite = "total";
  const auto suite_of = [&](const std::string& name) {
    const auto found = std::find_if(score.suites.begin(), score.suites.end(), [&](const auto& row) {
      return row.suite == name;
    });
    if (found != score.suites.end()) return static_cast<std::size_t>(found - score.suites.begin());
    score.suites.push_back({});
    score.suites.back().suite = name;
    return score.suites.size() - 1;
  };
  struct Program {
    std::size_t suite;
    LitmusOutcome outcome;
  };
  // By group and model; a file of no group is a program of its own.
  std::map<std::tuple<std::string, LitmusModel, std::size_t>, Program> programs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const LitmusResult& result = results[i];
    const std::size_t suite = suite_of(result.suite);
    ++score.suites[suite].files;
    ++score.total.files;
    if (!is_scored(result.outcome)) {
      count(result.outcome, score.suites[suite]);
      count(result.outcome, score.total);
      continue;
    }
    const std::size_t alone = result.dup_group.empty() ? i + 1 : 0;
    const auto [program, is_new] = programs.emplace(
        std::tuple(result.dup_group, result.model, alone), Program{suite, result.outcome});
    if (!is_new && result.outcome != LitmusOutcome::agreed)
      program->second.outcome = result.outcome;
  }
  for (const auto& [key, program] : programs) {
    count(program.outcome, score.suites[program.suite]);
    count(program.outcome, score.total);
  }
  return score;
}

std::string litmus_text(std::span<const LitmusResult> results, LitmusDetail detail) {
  std::string text;
  for (const LitmusResult& result : results) {
    const bool is_quiet =
        result.outcome == LitmusOutcome::agreed || result.outcome == LitmusOutcome::disputed ||
        result.outcome == LitmusOutcome::termination || result.outcome == LitmusOutcome::outside;
    if (detail == LitmusDetail::summary && is_quiet) continue;
    text += line_of(result);
    if (detail != LitmusDetail::witnesses || !result.verdict) continue;
    for (const std::string& line : result.verdict->witness) text += "    " + line + "\n";
  }
  if (!text.empty()) text += "\n";
  const LitmusScore score = summarize(results);
  text += fmt::format("{:<16} {:>5} {:>9} {:>7} {:>7} {:>13} {:>9} {:>12} {:>9}\n",
                      "suite",
                      "files",
                      "programs",
                      "agreed",
                      "missed",
                      "false alarms",
                      "disputed",
                      "termination",
                      "unjudged");
  for (const SuiteScore& suite : score.suites) text += row_of(suite);
  if (score.suites.size() > 1) text += row_of(score.total);
  text += fmt::format("\n{} of {} programs agree, {} missed, {} false alarms; {} {}\n",
                      score.total.agreed,
                      score.total.programs,
                      score.total.missed,
                      score.total.false_alarms,
                      score.total.files,
                      score.total.files == 1 ? "file" : "files");
  return text;
}

std::string litmus_json(std::span<const LitmusResult> results) {
  const LitmusScore score = summarize(results);
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.litmus/1").key("tests").begin_array();
  for (const LitmusResult& result : results) write_result(result, writer);
  writer.end_array().key("suites").begin_array();
  for (const SuiteScore& suite : score.suites) write_suite(suite, writer);
  writer.end_array().key("summary");
  write_suite(score.total, writer);
  writer.end_object();
  return writer.take();
}

}  // namespace epsim
