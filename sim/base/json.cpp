#include "sim/base/json.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "sim/base/check.hpp"
#include "sim/base/edit_distance.hpp"
#include "sim/base/input_error.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/base/quantity_text.hpp"
#include "sim/base/text_file.hpp"

namespace epsim {

using Raw = nlohmann::ordered_json;

struct JsonValue::Document {
  std::string file;
  Raw root;
};

namespace {

constexpr int kDeepest = 100;
constexpr std::size_t kMostKeys = 4096;

// A pointer segment: RFC 6901 writes ~ as ~0 and / as ~1.
std::string escape_segment(std::string_view key) {
  std::string out = "/";
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

std::string describe(const Raw& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("an array of {}", value.size());
  std::string text = value.dump(-1, ' ', false, Raw::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

}  // namespace

JsonValue::JsonValue(std::shared_ptr<const Document> document, const Raw* value, std::string place)
    : document_(std::move(document)), value_(value), place_(std::move(place)) {}

const std::string& JsonValue::file() const {
  return document_->file;
}
std::string JsonValue::dump() const {
  return value_->dump(-1, ' ', false, Raw::error_handler_t::replace);
}
bool JsonValue::is_null() const {
  return value_->is_null();
}
bool JsonValue::is_string() const {
  return value_->is_string();
}
bool JsonValue::is_object() const {
  return value_->is_object();
}
bool JsonValue::is_array() const {
  return value_->is_array();
}

void JsonValue::fail(std::string_view what) const {
  throw InputError(file(), place_, what);
}

void JsonValue::fail_expected(std::string_view expected) const {
  fail(fmt::format("expected {}, found {}", expected, describe(*value_)));
}

std::string JsonValue::string() const {
  if (!value_->is_string()) fail_expected("a string");
  return value_->get<std::string>();
}

bool JsonValue::boolean() const {
  if (!value_->is_boolean()) fail_expected("true or false");
  return value_->get<bool>();
}

double JsonValue::number() const {
  if (!value_->is_number()) fail_expected("a number");
  return value_->get<double>();
}

double JsonValue::number_in(double low, double high) const {
  const double value = number();
  if (!(value >= low && value <= high))
    fail_expected(fmt::format("a number from {} to {}", low, high));
  return value;
}

std::int64_t JsonValue::integer_in(std::int64_t low, std::int64_t high) const {
  const std::string expected = fmt::format("a whole number from {} to {}", low, high);
  if (!value_->is_number_integer()) fail_expected(expected);
  if (value_->is_number_unsigned() &&
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    fail_expected(expected);
  const auto value = value_->get<std::int64_t>();
  if (value < low || value > high) fail_expected(expected);
  return value;
}

Duration JsonValue::duration() const {
  if (!is_string()) fail_expected("a time with its unit, such as \"1.1 us\"");
  try {
    return parse_duration(string());
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
}

Bytes JsonValue::bytes() const {
  if (!is_string()) fail_expected("a size with its unit, such as \"7168 B\"");
  try {
    return parse_bytes(string());
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
}

Bandwidth JsonValue::bandwidth() const {
  if (!is_string()) fail_expected("a bandwidth with its unit, such as \"450 GB/s\"");
  try {
    return parse_bandwidth(string());
  } catch (const std::invalid_argument& error) {
    fail(error.what());
  }
}

std::vector<JsonValue> JsonValue::array() const {
  if (!value_->is_array()) fail_expected("an array");
  std::vector<JsonValue> elements;
  elements.reserve(value_->size());
  for (std::size_t i = 0; i < value_->size(); ++i)
    elements.push_back(JsonValue(document_, &(*value_)[i], fmt::format("{}/{}", place_, i)));
  return elements;
}

void JsonValue::append_integers(std::int64_t low,
                                std::int64_t high,
                                std::vector<std::int32_t>& out) const {
  check(low >= INT32_MIN && high <= INT32_MAX, "the range fits into 32 bits");
  if (!value_->is_array()) fail_expected("an array");
  for (std::size_t i = 0; i < value_->size(); ++i) {
    const Raw& element = (*value_)[i];
    // As unsigned, so that 2^64 - 1 does not pass for -1.
    const bool is_small =
        element.is_number_integer() &&
        (!element.is_number_unsigned() || element.get<std::uint64_t>() <= INT32_MAX);
    const std::int64_t value = is_small ? element.get<std::int64_t>() : INT64_MAX;
    if (value < low || value > high)
      (void)JsonValue(document_, &element, fmt::format("{}/{}", place_, i)).integer_in(low, high);
    out.push_back(static_cast<std::int32_t>(value));
  }
}

JsonObject JsonValue::object() const {
  if (!value_->is_object()) fail_expected("an object");
  return JsonObject(*this);
}

std::size_t JsonValue::one_of(const std::vector<std::string_view>& words) const {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (value_->is_string() && value_->get_ref<const std::string&>() == words[i]) return i;
    list += (i == 0 ? "" : ", ") + std::string(words[i]);
  }
  fail_expected("one of " + list);
}

JsonValue JsonObject::required(std::string_view key) {
  if (auto found = optional(key)) return *found;
  value_.fail(fmt::format("missing key \"{}\"", key));
}

std::optional<JsonValue> JsonObject::optional(std::string_view key) {
  asked_.emplace(key);
  const auto found = value_.value_->find(key);
  if (found == value_.value_->end()) return std::nullopt;
  return JsonValue(value_.document_, &*found, value_.place_ + escape_segment(key));
}

std::vector<std::string> JsonObject::keys() const {
  std::vector<std::string> names;
  for (const auto& [key, ignored] : value_.value_->items()) names.push_back(key);
  return names;
}

void JsonObject::finish() const {
  for (const std::string& key : keys()) {
    if (asked_.contains(key)) continue;
    std::string known;
    std::string nearest;
    for (const std::string& word : asked_) {
      known += (known.empty() ? "" : ", ") + word;
      if (edit_distance(word, key) <= kMisspelt &&
          (nearest.empty() || edit_distance(word, key) < edit_distance(nearest, key)))
        nearest = word;
    }
    throw InputError(value_.file(),
                     value_.place_ + escape_segment(key),
                     nearest.empty() ? fmt::format("unknown key; expected one of {}", known)
                                     : fmt::format("unknown key; did you mean \"{}\"?", nearest));
  }
}

JsonDocument JsonDocument::read(const std::filesystem::path& path) {
  return parse(read_text_file(path), path.string());
}

JsonDocument JsonDocument::parse(std::string_view text, std::string_view name) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw InputError(name, "", "expected JSON, found an empty file");
  // Keys seen in each object that is still open: nlohmann keeps the last of two equal keys
  // silently.
  std::vector<std::set<std::string>> open;
  const auto watch = [&](int depth, Raw::parse_event_t event, Raw& parsed) {
    // Writing a value out is recursive, and finding a key is linear: both need a limit.
    const bool is_opened =
        event == Raw::parse_event_t::object_start || event == Raw::parse_event_t::array_start;
    if (is_opened && depth >= kDeepest)
      throw InputError(name, "", fmt::format("nested deeper than {} levels", kDeepest));
    if (event == Raw::parse_event_t::object_start) open.emplace_back();
    if (event == Raw::parse_event_t::object_end) open.pop_back();
    if (event != Raw::parse_event_t::key) return true;
    if (open.back().size() == kMostKeys)
      throw InputError(name, "", fmt::format("more than {} keys in one object", kMostKeys));
    if (!open.back().insert(parsed.get<std::string>()).second)
      throw InputError(
          name, "", "key \"" + parsed.get<std::string>() + "\" stands twice in one object");
    return true;
  };
  JsonDocument result;
  result.document_ = std::make_shared<JsonValue::Document>();
  result.document_->file = name;
  try {
    result.document_->root = Raw::parse(text.begin(), text.end(), watch);
  } catch (const Raw::parse_error& error) {
    throw InputError(
        name, "", fmt::format("expected JSON, found something else near byte {}", error.byte));
  } catch (const Raw::out_of_range&) {
    throw InputError(name, "", "a number is too large for a double");
  }
  return result;
}

void JsonDocument::set(std::string_view dotted_path, std::string_view text) {
  Raw* target = &document_->root;
  std::string place;
  for (std::size_t start = 0; start <= dotted_path.size();) {
    const std::size_t end = std::min(dotted_path.find('.', start), dotted_path.size());
    const std::string key(dotted_path.substr(start, end - start));
    if (key.empty()) throw InputError("--set " + std::string(dotted_path), "", "expected a key");
    if (target->is_null()) *target = Raw::object();
    if (!target->is_object())
      throw InputError(document_->file, place, fmt::format("--set {}: not an object", dotted_path));
    place += escape_segment(key);
    target = &(*target)[key];
    start = end + 1;
  }
  Raw value = Raw::parse(text.begin(), text.end(), nullptr, false);
  *target = value.is_discarded() ? Raw(std::string(text)) : value;
}

JsonValue JsonDocument::root() const {
  return JsonValue(document_, &document_->root, "");
}

std::string json_quote(std::string_view text) {
  return Raw(std::string(text)).dump(-1, ' ', false, Raw::error_handler_t::replace);
}

}  // namespace epsim
