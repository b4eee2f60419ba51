#include "traces/profiler_time.hpp"

#include <algorithm>
#include <charconv>
#include <string>

namespace epsim {
namespace {

constexpr std::int64_t kMostNs = std::int64_t{1} << 62;

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_around_number(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '"';
}

// A decimal number in parts; `exponent` keeps its sign.
struct Decimal {
  bool is_number = false;
  bool is_negative = false;
  std::string_view whole, fraction, exponent;
};

Decimal split_decimal(std::string_view text) {
  while (!text.empty() && is_around_number(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_around_number(text.back())) text.remove_suffix(1);
  Decimal decimal;
  decimal.is_negative = text.starts_with('-');
  if (decimal.is_negative) text.remove_prefix(1);
  const auto take_digits = [&] {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    const std::string_view digits = text.substr(0, count);
    text.remove_prefix(count);
    return digits;
  };
  decimal.whole = take_digits();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    decimal.fraction = take_digits();
  }
  if (decimal.whole.empty() && decimal.fraction.empty()) return decimal;
  if (text.starts_with('e') || text.starts_with('E')) {
    decimal.exponent = text.substr(1);
    if (decimal.exponent.empty()) return decimal;
    text = {};
  }
  decimal.is_number = text.empty();
  return decimal;
}

// The digits of `whole` and the first `decimals` of `fraction` as one integer, rounded by the next.
std::optional<std::int64_t> shifted(std::string_view whole,
                                    std::string_view fraction,
                                    std::size_t decimals) {
  std::int64_t number = 0;
  const auto append = [&](char digit) {
    if (number > kMostNs / 10) return false;
    number = number * 10 + (digit - '0');
    return number <= kMostNs;
  };
  for (const char digit : whole)
    if (!append(digit)) return std::nullopt;
  for (std::size_t i = 0; i < decimals; ++i)
    if (!append(i < fraction.size() ? fraction[i] : '0')) return std::nullopt;
  if (fraction.size() > decimals && fraction[decimals] >= '5') ++number;
  return number;
}

// The same where an exponent moves the point. Rare, so that the digits are written out.
std::optional<std::int64_t> shifted_by_exponent(const Decimal& decimal, std::size_t decimals) {
  std::string_view exponent = decimal.exponent;
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  int power = 0;
  const char* last = exponent.data() + exponent.size();
  const auto [end, error] = std::from_chars(exponent.data(), last, power);
  constexpr int kMostPower = 40;
  if (error != std::errc{} || end != last || power < -kMostPower || power > kMostPower)
    return std::nullopt;
  const std::string zeros(kMostPower, '0');
  const std::string digits =
      zeros + std::string(decimal.whole) + std::string(decimal.fraction) + zeros;
  const std::size_t point = zeros.size() + decimal.whole.size() +
                            static_cast<std::size_t>(power + kMostPower) - zeros.size();
  const std::string_view all = digits;
  const std::size_t first = std::min(all.find_first_not_of('0'), point);
  return shifted(all.substr(first, point - first), all.substr(point), decimals);
}

}  // namespace

std::optional<std::int64_t> read_nanoseconds(std::string_view text, ProfilerUnit unit) {
  const Decimal decimal = split_decimal(text);
  if (!decimal.is_number) return std::nullopt;
  const std::size_t decimals = unit == ProfilerUnit::microsecond ? 3 : 0;
  const std::optional<std::int64_t> ns = decimal.exponent.empty()
                                             ? shifted(decimal.whole, decimal.fraction, decimals)
                                             : shifted_by_exponent(decimal, decimals);
  if (!ns || !decimal.is_negative) return ns;
  return -*ns;
}

ProfilerUnit unit_of_moment(std::string_view text) {
  constexpr std::int64_t kYear5138InUs = 100'000'000'000'000'000;
  // Most are told by their length: 18 digits of whole microseconds.
  if (text.size() < 18) return ProfilerUnit::microsecond;
  const std::optional<std::int64_t> count = read_nanoseconds(text, ProfilerUnit::nanosecond);
  return count && *count >= kYear5138InUs ? ProfilerUnit::nanosecond : ProfilerUnit::microsecond;
}

}  // namespace epsim
