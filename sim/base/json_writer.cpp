#include "sim/base/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "sim/base/check.hpp"

namespace epsim {

void JsonWriter::separate(bool is_key) {
  check(!(is_key && after_key_), "a key is followed by its value");
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) {
    check(!is_key && text_.empty(), "a JSON text is one value");
    return;
  }
  check((levels_.back().closing == '}') == is_key, "keys stand in objects, bare values in arrays");
  if (levels_.back().has_element) text_ += ',';
  const auto depth = levels_.size();
  if (static_cast<int>(depth) <= inline_depth_)
    text_ += '\n' + std::string(2 * depth, ' ');
  else if (levels_.back().has_element)
    text_ += ' ';
  levels_.back().has_element = true;
}

JsonWriter& JsonWriter::open(char opening, char closing) {
  separate();
  text_ += opening;
  levels_.push_back({closing, false});
  return *this;
}

JsonWriter& JsonWriter::close(char closing) {
  check(!levels_.empty() && levels_.back().closing == closing && !after_key_,
        "a JSON bracket closes what was opened");
  const bool had_element = levels_.back().has_element;
  const auto depth = levels_.size();
  levels_.pop_back();
  if (had_element && static_cast<int>(depth) <= inline_depth_)
    text_ += '\n' + std::string(2 * (depth - 1), ' ');
  text_ += closing;
  return *this;
}

JsonWriter& JsonWriter::begin_object() {
  return open('{', '}');
}

JsonWriter& JsonWriter::end_object() {
  return close('}');
}

JsonWriter& JsonWriter::begin_array() {
  return open('[', ']');
}

JsonWriter& JsonWriter::end_array() {
  return close(']');
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate(true);
  text_ += json_quote(name) + ": ";
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  return raw(json_quote(text));
}

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  return raw(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

JsonWriter& JsonWriter::null() {
  return raw("null");
}

JsonWriter& JsonWriter::raw(std::string_view json) {
  separate();
  text_ += json;
  return *this;
}

std::string JsonWriter::take() {
  check(levels_.empty(), "every JSON bracket is closed");
  check(!text_.empty() && !after_key_, "a JSON text is one value");
  text_ += '\n';
  return std::move(text_);
}

}  // namespace epsim
