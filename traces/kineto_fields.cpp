#include "traces/kineto_fields.hpp"

#include <charconv>
#include <cstddef>
#include <limits>

namespace epsim {
namespace {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

}  // namespace

std::string_view bare_text(std::string_view token) {
  while (!token.empty() && is_blank(token.front())) token.remove_prefix(1);
  while (!token.empty() && is_blank(token.back())) token.remove_suffix(1);
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"')
    token = token.substr(1, token.size() - 2);
  return token;
}

std::optional<std::int64_t> read_integer(std::string_view token) {
  const std::string_view text = bare_text(token);
  const char* last = text.data() + text.size();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc{}) return std::nullopt;
  for (const char* c = end; c < last; ++c)
    if (*c != '0' && !(c == end && *c == '.')) return std::nullopt;
  return number;
}

std::optional<std::int64_t> read_last_integer(std::string_view token) {
  const std::string_view text = bare_text(token);
  std::size_t begin = text.size();
  while (begin > 0 && is_digit(text[begin - 1])) --begin;
  if (begin > 0 && text[begin - 1] == '-') return std::nullopt;
  return read_integer(text.substr(begin));
}

std::array<std::uint32_t, 3> read_triple(std::string_view text) {
  // An array ends by its bracket, text by its quote, and a number alone by what follows it.
  if (text.starts_with('"'))
    text = text.substr(1, text.find('"', 1) - 1);
  else if (!text.starts_with('['))
    text = text.substr(0, text.find_first_of(",}"));
  std::array<std::uint32_t, 3> triple{};
  std::size_t index = 0;
  bool is_in_number = false;
  for (const char c : text) {
    if (is_digit(c)) {
      const std::uint64_t grown =
          std::uint64_t{triple[index]} * 10 + static_cast<std::uint64_t>(c - '0');
      if (grown > std::numeric_limits<std::uint32_t>::max()) return {};
      triple[index] = static_cast<std::uint32_t>(grown);
      is_in_number = true;
      continue;
    }
    if (c == ']' || c == ')' || c == '}') break;
    if (is_in_number && ++index == triple.size()) break;
    is_in_number = false;
  }
  return triple;
}

}  // namespace epsim
