#include "kernels/reference/elementwise_reference.hpp"

#include <cmath>

#include "kernels/reference/gemm_reference.hpp"

namespace epsim::kernels {

double silu_multiplied(std::uint16_t x, std::uint16_t y) {
  const auto value = static_cast<double>(float_of_bf16(x));
  return value / (1 + std::exp(-value)) * static_cast<double>(float_of_bf16(y));
}

double added(std::uint16_t x, std::uint16_t y) {
  return static_cast<double>(float_of_bf16(x)) + static_cast<double>(float_of_bf16(y));
}

bool is_elementwise_result(std::uint16_t found, double expected) {
  // Half a step: at most 2^-8 of the number; and a little for the device's quick exponential.
  const double rounding = std::abs(expected) * (1.0 / 256 + 1.0 / 65536) + 1e-6;
  return std::abs(static_cast<double>(float_of_bf16(found)) - expected) <= rounding;
}

}  // namespace epsim::kernels
