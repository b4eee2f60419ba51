#include "sim/base/quantity_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <stdexcept>

#include <fmt/format.h>

namespace epsim {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array kTimes = {Unit{"ps", 1},
                               Unit{"ns", 1e3},
                               Unit{"us", 1e6},
                               Unit{"ms", 1e9},
                               Unit{"s", 1e12},
                               Unit{"min", 6e13}};
constexpr std::array kSizes = {Unit{"B", 1},
                               Unit{"kB", 1e3},
                               Unit{"MB", 1e6},
                               Unit{"GB", 1e9},
                               Unit{"KiB", 1024},
                               Unit{"MiB", 1048576},
                               Unit{"GiB", 1073741824}};
constexpr std::array kRates = {Unit{"B/s", 1},
                               Unit{"kB/s", 1e3},
                               Unit{"MB/s", 1e6},
                               Unit{"GB/s", 1e9},
                               Unit{"TB/s", 1e12},
                               Unit{"Gbit/s", 0.125e9}};

std::string unit_names(std::span<const Unit> units) {
  std::string names;
  for (const Unit& unit : units) names += (names.empty() ? "" : ", ") + std::string(unit.name);
  return names;
}

double parse(std::string_view text, std::span<const Unit> units, std::string_view example) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number))
    throw std::invalid_argument(
        fmt::format("\"{}\" is not a number with a unit; write for example \"{}\"", text, example));
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  if (rest.empty())
    throw std::invalid_argument(
        fmt::format("\"{}\" has no unit; write for example \"{}\"", text, example));
  for (const Unit& unit : units)
    if (rest == unit.name) return number * unit.factor;
  throw std::invalid_argument(
      fmt::format("\"{}\": unknown unit \"{}\"; known: {}", text, rest, unit_names(units)));
}

std::string with_unit(double value, std::span<const Unit> ascending) {
  const Unit* unit = &ascending.front();
  for (const Unit& candidate : ascending)
    if (std::abs(value) >= candidate.factor) unit = &candidate;
  const double scaled = value / unit->factor;
  const int decimals = unit->factor == 1 || std::abs(scaled) >= 100 ? 0
                       : std::abs(scaled) >= 10                     ? 1
                                                                    : 2;
  return fmt::format(
      "{:.{}f} {}", scaled, std::abs(scaled) >= 100 && unit->factor > 1 ? 1 : decimals, unit->name);
}

// The nearest whole number, which a double of up to 2^63 can be far beyond.
std::int64_t whole(double value, std::string_view text) {
  if (!(std::abs(value) < 0x1p63))
    throw std::invalid_argument(fmt::format("\"{}\" is too large", text));
  return std::llround(value);
}

}  // namespace

Duration parse_duration(std::string_view text) {
  return Duration{whole(parse(text, kTimes, "1.1 us"), text)};
}

Bytes parse_bytes(std::string_view text) {
  const double count = parse(text, kSizes, "7168 B");
  const std::int64_t nearest = whole(count, text);
  // 1.001 kB is 1000.9999999999999 in doubles, and means 1001.
  if (std::abs(count - static_cast<double>(nearest)) > 1e-9 * std::abs(count))
    throw std::invalid_argument(fmt::format("\"{}\" is not a whole number of bytes", text));
  return Bytes{nearest};
}

Bandwidth parse_bandwidth(std::string_view text) {
  return Bandwidth{parse(text, kRates, "450 GB/s")};
}

std::string to_text(Duration length) {
  return with_unit(static_cast<double>(length.count()), kTimes);
}

std::string to_text(Bytes size) {
  return with_unit(static_cast<double>(size.count), std::span(kSizes).first(4));
}

std::string to_text(Bandwidth rate) {
  return with_unit(rate.bytes_per_second, std::span(kRates).first(5));
}

std::string to_exact_text(Duration length) {
  const auto count = length.count();
  if (count % 1'000'000 == 0) return fmt::format("{} us", count / 1'000'000);
  if (count % 1'000 == 0) return fmt::format("{} ns", count / 1'000);
  return fmt::format("{} ps", count);
}

std::string to_exact_text(Bandwidth rate) {
  const double gigabytes = rate.bytes_per_second / 1e9;
  if (gigabytes * 1e9 == rate.bytes_per_second) return fmt::format("{} GB/s", gigabytes);
  return fmt::format("{} B/s", rate.bytes_per_second);  // where the division lost a bit
}

}  // namespace epsim
