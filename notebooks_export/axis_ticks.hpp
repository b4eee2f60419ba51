// AxisTicks: round numbers along an axis, and how they are written.
#pragma once

#include <string>
#include <vector>

namespace epsim {

// Multiples of 1, 2 or 5 times a power of ten within [low, high], `about` as many.
[[nodiscard]] std::vector<double> linear_ticks(double low, double high, int about);
// 1, 2 and 5 of each decade within [low, high], or as many of them as stay legible; linear ones
// where the range is too narrow for three.
[[nodiscard]] std::vector<double> log_ticks(double low, double high, int about);
// "0.5", "250", "12k", "1.5M".
[[nodiscard]] std::string tick_text(double value);

}  // namespace epsim
