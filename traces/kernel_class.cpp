#include "traces/kernel_class.hpp"

#include <algorithm>
#include <optional>
#include <regex>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "sim/base/check.hpp"
#include "sim/base/embedded_file.hpp"
#include "sim/base/json.hpp"
#include "traces/kernel_name.hpp"
#include "traces/required_text.hpp"

namespace epsim {
namespace {

constexpr std::string_view kSchema = "epsim.kernel_classes/1";
// The standard library's regex takes stack for each character that it looks at, and a template's
// arguments can fill pages.
constexpr std::size_t kLongestSearched = 2000;

enum class MatchKind : std::uint8_t { prefix, contains, regex };
constexpr std::array<std::string_view, 3> kMatchKindNames = {"prefix", "contains", "regex"};

struct Rule {
  MatchKind kind = MatchKind::prefix;
  bool is_of_whole_name = false;      // or of the function's name alone
  std::vector<std::string> patterns;  // any of them; lower case
  std::vector<std::regex> regexes;    // of a regex
  // One list a regex, of what a text must hold for it to match; see required_texts().
  std::vector<std::vector<std::string>> required;
  KernelClass kernel_class = KernelClass::compute;
  CommunicationPhase phase = CommunicationPhase::none;
  std::string family;

  [[nodiscard]] bool matches(std::string_view text) const {
    switch (kind) {
      case MatchKind::prefix:
        return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
          return text.starts_with(pattern);
        });
      case MatchKind::contains:
        return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
          return text.find(pattern) != std::string_view::npos;
        });
      case MatchKind::regex:
        text = text.substr(0, kLongestSearched);
        for (std::size_t i = 0; i < regexes.size(); ++i)
          if (may_match(i, text) && std::regex_search(text.begin(), text.end(), regexes[i]))
            return true;
        return false;
    }
    throw Bug("a kernel rule matches by a prefix, a part or a regex");
  }

 private:
  // Most names match no regex, and a search takes a hundred times as long as this.
  [[nodiscard]] bool may_match(std::size_t i, std::string_view text) const {
    return required[i].empty() ||
           std::any_of(required[i].begin(), required[i].end(), [&](const std::string& part) {
             return text.find(part) != std::string_view::npos;
           });
  }
};

// Names are matched in lower case. What a backslash makes special keeps its case: \W is not \w.
std::string lower_case_pattern(std::string_view pattern) {
  std::string lower = lower_case(pattern);
  for (std::size_t i = 1; i < lower.size(); ++i)
    if (pattern[i - 1] == '\\') lower[i] = pattern[i];
  return lower;
}

std::vector<std::string> strings_of(const JsonValue& value) {
  std::vector<std::string> texts;
  if (value.is_array())
    for (const JsonValue& entry : value.array()) texts.push_back(entry.string());
  else
    texts.push_back(value.string());
  for (const std::string& text : texts)
    if (text.empty()) value.fail_expected("a pattern that is not empty");
  if (texts.empty()) value.fail_expected("a pattern or more");
  return texts;
}

void read_patterns(JsonObject& object, Rule& rule) {
  std::optional<JsonValue> found;
  for (std::size_t k = 0; k < kMatchKindNames.size(); ++k) {
    const std::optional<JsonValue> value = object.optional(kMatchKindNames[k]);
    if (!value) continue;
    if (found) value->fail("a rule has one of prefix, contains and regex");
    found = value;
    rule.kind = static_cast<MatchKind>(k);
  }
  if (!found) object.value().fail("a rule needs one of prefix, contains and regex");
  for (std::string& text : strings_of(*found)) {
    if (rule.kind != MatchKind::regex) {
      rule.patterns.push_back(lower_case(text));
      continue;
    }
    try {
      const std::string lower = lower_case_pattern(text);
      rule.regexes.emplace_back(lower, std::regex::ECMAScript);
      rule.required.push_back(required_texts(lower));
    } catch (const std::regex_error& error) {
      found->fail(fmt::format("\"{}\" is no regular expression: {}", text, error.what()));
    }
    rule.patterns.push_back(std::move(text));
  }
}

template <std::size_t N>
std::size_t word_of(const JsonValue& value, const std::array<std::string_view, N>& words) {
  return value.one_of({words.begin(), words.end()});
}

Rule read_rule(const JsonValue& value) {
  JsonObject object = value.object();
  Rule rule;
  rule.family = object.required("family").string();
  if (rule.family.empty()) object.required("family").fail_expected("a name");
  rule.kernel_class =
      static_cast<KernelClass>(word_of(object.required("class"), kKernelClassNames));
  const std::optional<JsonValue> phase = object.optional("phase");
  if (phase)
    rule.phase = static_cast<CommunicationPhase>(word_of(*phase, kCommunicationPhaseNames));
  const bool is_communication = rule.kernel_class == KernelClass::communication;
  if (is_communication != (rule.phase != CommunicationPhase::none))
    value.fail("communication has a phase, and nothing else has one");
  if (const std::optional<JsonValue> place = object.optional("in"))
    rule.is_of_whole_name = place->one_of({"function", "name"}) == 1;
  read_patterns(object, rule);
  object.finish();
  return rule;
}

std::vector<Rule> read_rules(const JsonDocument& document) {
  JsonObject root = document.root().object();
  if (const JsonValue schema = root.required("schema"); schema.string() != kSchema)
    schema.fail_expected(kSchema);
  std::vector<Rule> rules;
  for (const JsonValue& value : root.required("rules").array()) rules.push_back(read_rule(value));
  root.finish();
  return rules;
}

}  // namespace

// A file's rules, and those behind it. Rules never change once they are here, so that the names of
// families stay where they are.
struct KernelClassTable::Rules {
  std::vector<Rule> own;
  std::shared_ptr<const Rules> rest;
};

KernelClassTable KernelClassTable::built_in() {
  KernelClassTable table;
  for (const EmbeddedFile& file : embedded::kernel_classes()) {
    const JsonDocument document =
        JsonDocument::parse(file.text, fmt::format("traces/{}.json", file.name));
    table.rules_ = std::make_shared<Rules>(Rules{read_rules(document), table.rules_});
  }
  return table;
}

void KernelClassTable::add_rules(const std::string& path) {
  rules_ = std::make_shared<Rules>(Rules{read_rules(JsonDocument::read(path)), rules_});
}

KernelRole KernelClassTable::role_of(std::string_view kernel_name) const {
  const std::string name = lower_case(without_return_type(demangled(kernel_name)));
  const std::string function = function_name(name);
  for (const Rules* rules = rules_.get(); rules != nullptr; rules = rules->rest.get())
    for (const Rule& rule : rules->own)
      if (rule.matches(rule.is_of_whole_name ? name : function))
        return {rule.kernel_class, rule.phase, rule.family};
  return {KernelClass::compute, CommunicationPhase::none, "other"};
}

std::vector<KernelRule> KernelClassTable::rules() const {
  std::vector<KernelRule> shown;
  for (const Rules* rules = rules_.get(); rules != nullptr; rules = rules->rest.get())
    for (const Rule& rule : rules->own) {
      KernelRule& row = shown.emplace_back();
      row.role = {rule.kernel_class, rule.phase, rule.family};
      row.match = fmt::format("{}{} {}",
                              rule.is_of_whole_name ? "whole name " : "",
                              kMatchKindNames[static_cast<std::size_t>(rule.kind)],
                              fmt::join(rule.patterns, ", "));
    }
  return shown;
}

}  // namespace epsim
