// What a GEMM of BF16 matrices must give, an element at a time: large products are checked at a few
// places only.
#pragma once

#include <cstdint>

#include "kernels/overlap/matrix_value.hpp"

namespace epsim::kernels {

[[nodiscard]] float float_of_bf16(std::uint16_t bits);

// What makes a matrix's elements: matrix_value or normal_value.
using ElementValue = std::uint16_t (*)(std::uint64_t index, std::uint32_t seed);

// Element (row, column) of A B^T, where A and B are `value` of their seeds with `depth` elements a
// row.
[[nodiscard]] double product_element(std::uint32_t seed_a,
                                     std::uint32_t seed_b,
                                     std::int64_t depth,
                                     std::int64_t row,
                                     std::int64_t column,
                                     ElementValue value = &matrix_value);

// Whether `found` is `expected` as far as BF16 tells (8 bits of mantissa: one part in 256 after
// rounding) and sums of `depth` products in float32 do: each product is below 1, and an
// accumulator that cuts at 2^-13 of the largest is the coarsest that we know of.
[[nodiscard]] bool is_product_element(double found, double expected, std::int64_t depth);

}  // namespace epsim::kernels
