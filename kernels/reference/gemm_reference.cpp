#include "kernels/reference/gemm_reference.hpp"

#include <bit>
#include <cmath>

namespace epsim::kernels {

float float_of_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

double product_element(std::uint32_t seed_a,
                       std::uint32_t seed_b,
                       std::int64_t depth,
                       std::int64_t row,
                       std::int64_t column,
                       ElementValue value) {
  double sum = 0;
  for (std::int64_t i = 0; i < depth; ++i) {
    const auto in_a = static_cast<std::uint64_t>(row * depth + i);
    const auto in_b = static_cast<std::uint64_t>(column * depth + i);
    sum += static_cast<double>(float_of_bf16(value(in_a, seed_a))) *
           static_cast<double>(float_of_bf16(value(in_b, seed_b)));
  }
  return sum;
}

bool is_product_element(double found, double expected, std::int64_t depth) {
  const double rounding = std::abs(expected) / 256;
  // Cuts are at most 2^-13 each and lean to one side; the depth counts in units of an MMA, 16.
  const double summing = static_cast<double>(depth) / 16 / 8192 + 1e-3;
  return std::abs(found - expected) <= rounding + summing;
}

}  // namespace epsim::kernels
