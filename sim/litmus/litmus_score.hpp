// LitmusScore: what the search finds against what the files say, by distinct program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/litmus/litmus_search.hpp"

namespace epsim {

enum class LitmusOutcome : std::uint8_t {
  agreed,
  missed,       // reachable by the file, and not found
  false_alarm,  // found, and unreachable by the file
  disputed,     // the file's verdict contradicts the specification
  termination,  // asks whether all threads end, which this search does not answer
  unjudged,     // the file has no verdict for the model
  outside,      // says something that the model has no word for
};
inline constexpr std::array<std::string_view, 7> kLitmusOutcomeNames = {
    "agreed", "missed", "false-alarm", "disputed", "termination", "unjudged", "outside-model"};

struct LitmusResult {
  std::string file, id, suite, dup_group;
  LitmusModel model = LitmusModel::ptx_7_5;
  LitmusOutcome outcome = LitmusOutcome::unjudged;
  std::optional<bool> expected;
  std::optional<LitmusVerdict> verdict;  // none if it was not looked for
};

// By `model`, or else by the newest one that the file has a verdict for.
[[nodiscard]] LitmusResult score(const LitmusTest& test, std::optional<LitmusModel> model);

// Files of one program and question count once, for the suite of the first.
struct SuiteScore {
  std::string suite;
  std::size_t files = 0;
  std::size_t programs = 0;  // those that are scored: agreed, missed and false alarms
  std::size_t agreed = 0, missed = 0, false_alarms = 0;
  std::size_t disputed = 0, termination = 0, unjudged = 0, outside = 0;  // files
};

struct LitmusScore {
  std::vector<SuiteScore> suites;  // in order of their first file
  SuiteScore total;
};
[[nodiscard]] LitmusScore summarize(std::span<const LitmusResult> results);

enum class LitmusDetail : std::uint8_t { summary, each_test, witnesses };
[[nodiscard]] std::string litmus_text(std::span<const LitmusResult> results, LitmusDetail detail);
[[nodiscard]] std::string litmus_json(std::span<const LitmusResult> results);

}  // namespace epsim
