#include "models/what_if_rule.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

// Deeper than this nobody nests, and the parser of expressions takes stack for each parenthesis.
constexpr std::size_t kLongestPattern = 1000;
// Of ways to match, the one whose time and stack grow with the text alone: a rule may come from
// anywhere, and a template's arguments can fill pages.
constexpr auto kSyntax = std::regex::ECMAScript | std::regex::optimize
#ifdef __GLIBCXX__
                         | std::regex_constants::__polynomial
#endif
    ;
constexpr double kLargestScale = 1000;
constexpr std::int64_t kMostCtas = 1'000'000;
const std::vector<std::string_view> kEdits = {
    "stream", "scale", "time", "remove", "insert", "ctas", "replace"};

Duration time_of(const JsonValue& value) {
  const Duration time = value.duration();
  if (time < Duration{0}) value.fail_expected("a time of 0 or more");
  return time;
}

std::string name_of(const JsonValue& value) {
  std::string name = value.string();
  if (name.empty()) value.fail_expected("a name");
  return name;
}

InsertEdit read_insert(const JsonValue& value) {
  JsonObject object = value.object();
  InsertEdit edit{.name = name_of(object.required("name")),
                  .time = time_of(object.required("time"))};
  if (object.required("place").one_of({"before", "after"}) == 1) edit.place = InsertPlace::after;
  object.finish();
  return edit;
}

std::uint32_t ctas_of(const JsonValue& value) {
  return static_cast<std::uint32_t>(value.integer_in(1, kMostCtas));
}

CtaEdit read_ctas(const JsonValue& value) {
  JsonObject object = value.object();
  CtaEdit edit{.count = ctas_of(object.required("count"))};
  if (const auto law = object.optional("law"))
    edit.law = static_cast<CtaLaw>(law->one_of({"left", "inverse", "saturating"}));
  if (edit.law == CtaLaw::saturating) edit.saturates_at = ctas_of(object.required("saturates_at"));
  object.finish();
  return edit;
}

ReplaceEdit read_replace(const JsonValue& value) {
  JsonObject object = value.object();
  const std::vector<std::string_view> operations = {"dispatch", "combine"};
  ReplaceEdit edit;
  const std::filesystem::path scenario = name_of(object.required("scenario"));
  edit.spec.scenario = (std::filesystem::path(value.file()).parent_path() / scenario).string();
  edit.spec.operation = operations[object.required("operation").one_of(operations)];
  if (const auto ctas = object.optional("ctas")) edit.ctas = ctas_of(*ctas);
  object.finish();
  return edit;
}

StepEdit read_edit(std::string_view key, const JsonValue& value, JsonObject& rule) {
  if (key == "stream") {
    MoveEdit edit{.stream = name_of(value), .consumers = std::nullopt};
    if (const auto consumers = rule.optional("consumers")) edit.consumers.emplace(*consumers);
    return edit;
  }
  if (key == "scale") return ScaleEdit{value.number_in(0, kLargestScale)};
  if (key == "time") return TimeEdit{time_of(value)};
  if (key == "insert") return read_insert(value);
  if (key == "ctas") return read_ctas(value);
  if (key == "replace") return read_replace(value);
  check(key == "remove", "every edit is read");
  if (!value.boolean()) value.fail_expected("true");
  return RemoveEdit{};
}

}  // namespace

NamePattern::NamePattern(const JsonValue& value) : text_(value.string()) {
  if (text_.size() > kLongestPattern)
    value.fail_expected(
        fmt::format("a regular expression of {} characters at most", kLongestPattern));
  try {
    regex_.assign(text_, kSyntax);
  } catch (const std::regex_error& error) {
    value.fail(fmt::format("expected a regular expression, found \"{}\": {}", text_, error.what()));
  }
}

TaskChoice NamePattern::found_in(const GpuStep& step) const {
  std::map<std::string_view, bool> known;
  TaskChoice choice;
  for (const StepTask& task : step.tasks) {
    const auto [row, is_new] = known.try_emplace(task.name, false);
    if (is_new) row->second = std::regex_search(task.name, regex_);
    choice.push_back(row->second);
  }
  return choice;
}

WhatIfRule WhatIfRule::read(const JsonValue& value) {
  JsonObject object = value.object();
  WhatIfRule rule;
  rule.file = value.file();
  rule.place = value.place();
  if (const auto note = object.optional("note")) rule.note = note->string();
  if (const auto kernels = object.optional("kernels")) rule.kernels.emplace(*kernels);
  if (const auto name = object.optional("class"))
    rule.kernel_class = static_cast<KernelClass>(
        name->one_of({kKernelClassNames.begin(), kKernelClassNames.end()}));
  if (const auto name = object.optional("phase"))
    rule.phase = static_cast<CommunicationPhase>(
        name->one_of({kCommunicationPhaseNames.begin(), kCommunicationPhaseNames.end()}));
  if (const auto name = object.optional("family")) rule.family = name->string();
  if (!rule.kernels && !rule.kernel_class && !rule.phase && !rule.family)
    value.fail("expected \"kernels\", \"class\", \"phase\" or \"family\", found none");

  std::size_t edits = 0;
  for (const std::string_view key : kEdits)
    if (const auto edit = object.optional(key)) {
      rule.edit = read_edit(key, *edit, object);
      ++edits;
    }
  if (edits != 1)
    value.fail(fmt::format("expected one edit of {}, found {}", fmt::join(kEdits, ", "), edits));
  object.finish();
  return rule;
}

TaskChoice WhatIfRule::chosen(const GpuStep& step) const {
  TaskChoice choice = kernels ? kernels->found_in(step) : TaskChoice(step.tasks.size(), true);
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const StepTask& task = step.tasks[i];
    if ((kernel_class && task.kernel_class != *kernel_class) || (phase && task.phase != *phase) ||
        (family && task.family != *family))
      choice[i] = false;
  }
  // What holds no SM has no blocks to change.
  if (std::holds_alternative<CtaEdit>(edit))
    for (std::size_t i = 0; i < choice.size(); ++i)
      if (step.tasks[i].cta_count == 0) choice[i] = false;
  return choice;
}

}  // namespace epsim
