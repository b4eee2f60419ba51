#include "sim/base/json_writer.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "sim/base/check.hpp"

namespace epsim {

void JsonWriter::separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_element_.empty()) return;
  if (has_element_.back()) text_ += ',';
  const auto depth = has_element_.size();
  if (static_cast<int>(depth) <= inline_depth_)
    text_ += '\n' + std::string(2 * depth, ' ');
  else if (has_element_.back())
    text_ += ' ';
  has_element_.back() = true;
}

void JsonWriter::close(char bracket) {
  check(!has_element_.empty() && !after_key_, "a JSON bracket closes what was opened");
  const bool had_element = has_element_.back();
  const auto depth = has_element_.size();
  has_element_.pop_back();
  if (had_element && static_cast<int>(depth) <= inline_depth_)
    text_ += '\n' + std::string(2 * (depth - 1), ' ');
  text_ += bracket;
}

JsonWriter& JsonWriter::begin_object() {
  separate();
  text_ += '{';
  has_element_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  close('}');
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  separate();
  text_ += '[';
  has_element_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  close(']');
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
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
  check(has_element_.empty() && !after_key_, "every JSON bracket is closed");
  text_ += '\n';
  return std::move(text_);
}

}  // namespace epsim
