#include "kernels/reference/cast_rows_reference.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

namespace epsim::kernels {
namespace {

constexpr std::size_t kGroup = 128;
constexpr float kLargest = 448.0F;
constexpr float kSmallestPeak = 1e-4F;
constexpr int kMantissaBits = 3;
constexpr int kSmallestExponent = -6;  // of a normal e4m3 number; below it steps stay at 2^-9
constexpr int kExponentBias = 7;

}  // namespace

std::uint8_t nearest_e4m3(float value) {
  const unsigned sign = std::signbit(value) ? 0x80U : 0U;
  const float magnitude = std::min(std::fabs(value), kLargest);
  int exponent = kSmallestExponent;
  if (magnitude > 0) exponent = std::max(exponent, std::ilogb(magnitude));
  // In steps of the number's binade; nearbyint rounds ties to even, which is e4m3's even mantissa.
  unsigned steps =
      static_cast<unsigned>(std::nearbyint(std::ldexp(magnitude, kMantissaBits - exponent)));
  if (steps == 2U << kMantissaBits) {  // rounded up into the next binade
    steps >>= 1;
    ++exponent;
  }
  if (steps < 1U << kMantissaBits) return static_cast<std::uint8_t>(sign | steps);  // subnormal
  const unsigned biased = static_cast<unsigned>(exponent + kExponentBias);
  return static_cast<std::uint8_t>(sign | biased << kMantissaBits |
                                   (steps - (1U << kMantissaBits)));
}

float bf16_value(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

CastReference cast_reference(std::span<const std::uint16_t> row) {
  CastReference result;
  for (std::size_t first = 0; first + kGroup <= row.size(); first += kGroup) {
    const std::span<const std::uint16_t> group = row.subspan(first, kGroup);
    float peak = kSmallestPeak;
    for (const std::uint16_t bits : group) peak = std::max(peak, std::fabs(bf16_value(bits)));
    const float factor = kLargest / peak;
    for (const std::uint16_t bits : group)
      result.values.push_back(nearest_e4m3(bf16_value(bits) * factor));
    result.scales.push_back(peak / kLargest);
  }
  return result;
}

}  // namespace epsim::kernels
