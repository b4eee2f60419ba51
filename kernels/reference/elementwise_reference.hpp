// What the elementwise kernels must give, an element at a time.
#pragma once

#include <cstdint>

namespace epsim::kernels {

// x / (1 + e^-x) * y and x + y, of BF16 bits.
[[nodiscard]] double silu_multiplied(std::uint16_t x, std::uint16_t y);
[[nodiscard]] double added(std::uint16_t x, std::uint16_t y);

// Whether `found` is `expected` as far as BF16 tells: 8 bits of mantissa, rounded once.
[[nodiscard]] bool is_elementwise_result(std::uint16_t found, double expected);

}  // namespace epsim::kernels
