// cast_rows_reference: the cast of kernels/micro/cast_and_scan.cuh in plain C++, bit for bit.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace epsim::kernels {

// The nearest e4m3 value, ties to even, saturating at +-448. For finite input.
[[nodiscard]] std::uint8_t nearest_e4m3(float value);

[[nodiscard]] float bf16_value(std::uint16_t bits);

struct CastReference {
  std::vector<std::uint8_t> values;  // e4m3
  std::vector<float> scales;         // one for 128 channels: largest magnitude / 448
};
// `row`: BF16 bits, a multiple of 128 channels.
[[nodiscard]] CastReference cast_reference(std::span<const std::uint16_t> row);

}  // namespace epsim::kernels
