#include "notebooks_export/axis_ticks.hpp"

#include <array>
#include <cmath>
#include <initializer_list>

#include <fmt/format.h>

#include "sim/base/check.hpp"

namespace epsim {
namespace {

constexpr double kSlack = 1e-9;  // of the range: a tick at its end counts

double round_step(double rough) {
  const double decade = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= decade * factor * (1 + kSlack)) return decade * factor;
  return decade * 10;
}

std::vector<double> decade_ticks(double low, double high, std::initializer_list<double> factors) {
  std::vector<double> ticks;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  for (int power = first; power <= last; ++power)
    for (const double factor : factors) {
      // Divided where the power is negative: 5 / 10 is the double that prints as 0.5.
      const double value = power < 0 ? factor / std::pow(10, -power) : factor * std::pow(10, power);
      if (value >= low * (1 - kSlack) && value <= high * (1 + kSlack)) ticks.push_back(value);
    }
  return ticks;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int about) {
  check(high > low && about > 0, "an axis has a length");
  const double step = round_step((high - low) / about);
  std::vector<double> ticks;
  const double slack = (high - low) * kSlack;
  const double first = std::ceil((low - slack) / step);
  const double last = std::floor((high + slack) / step);
  for (double i = first; i <= last; ++i) ticks.push_back(i == 0 ? 0.0 : i * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int about) {
  check(low > 0 && high > low, "a logarithmic axis has a length above zero");
  const auto most = static_cast<std::size_t>(2 * about);
  std::vector<double> ticks = decade_ticks(low, high, {1.0, 2.0, 5.0});
  if (ticks.size() > most) ticks = decade_ticks(low, high, {1.0});
  return ticks.size() < 3 ? linear_ticks(low, high, about) : ticks;
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size >= 1e9) return fmt::format("{:.4g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  return fmt::format("{:.6g}", value);
}

}  // namespace epsim
