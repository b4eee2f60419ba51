#include "calibrate/tool_log.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr std::string_view kBlanks = " \t\r";
constexpr std::int64_t kMostBytes = 1LL << 50;  // and of anything else that is counted

bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\x1b';
}

}  // namespace

bool parse_decimal(std::string_view word, double& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc{} && end == word.data() + word.size() && std::isfinite(value);
}

bool is_whole_number(std::string_view word) {
  return !word.empty() &&
         std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

ToolLog::ToolLog(std::string file, std::string_view text) : file_(std::move(file)) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
    throw InputError(file_, "", "expected the output of a tool, found an empty file");
  const auto odd = std::find_if_not(text.begin(), text.end(), is_text);
  if (odd != text.end())
    throw InputError(file_,
                     "",
                     fmt::format("expected text, found the byte 0x{:02x} at offset {}",
                                 static_cast<unsigned>(static_cast<unsigned char>(*odd)),
                                 odd - text.begin()));
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines_.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::vector<std::string_view> ToolLog::words(std::size_t index) const {
  std::vector<std::string_view> words;
  std::string_view rest = lines_[index];
  for (;;) {
    const std::size_t begin = rest.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    rest.remove_prefix(begin);
    const std::size_t end = std::min(rest.find_first_of(kBlanks), rest.size());
    words.push_back(rest.substr(0, end));
    rest.remove_prefix(end);
  }
}

std::string ToolLog::place(std::size_t index) {
  return fmt::format("line {}", index + 1);
}

double ToolLog::positive(std::size_t index, std::string_view word, std::string_view what) const {
  double value = 0;
  if (!parse_decimal(word, value) || value <= 0)
    fail(index, fmt::format("{} above 0", what), fmt::format("\"{}\"", word));
  return value;
}

double ToolLog::not_negative(std::size_t index,
                             std::string_view word,
                             std::string_view what) const {
  double value = 0;
  if (!parse_decimal(word, value) || value < 0)
    fail(index, fmt::format("{} of 0 or more", what), fmt::format("\"{}\"", word));
  return value;
}

std::int64_t ToolLog::whole(std::size_t index, std::string_view word, std::string_view what) const {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc{} || end != word.data() + word.size() || value < 1 || value > kMostBytes)
    fail(index, fmt::format("{}, a whole number above 0", what), fmt::format("\"{}\"", word));
  return value;
}

void ToolLog::fail(std::size_t index, std::string_view expected, std::string_view found) const {
  throw InputError(file_, place(index), fmt::format("expected {}, found {}", expected, found));
}

void ToolLog::fail_at_end(std::string_view expected) const {
  throw InputError(
      file_,
      place(lines_.size() - 1),
      fmt::format("expected {}, found the end of the file: it was cut, or the test did not finish",
                  expected));
}

}  // namespace epsim
