// What a GEMM of BF16 matrices must give, an element at a time: large products are checked at a few
// places only.
#pragma once

#include <cstdint>

namespace epsim::kernels {

[[nodiscard]] float float_of_bf16(std::uint16_t bits);

// Element (row, column) of A B^T, where A and B are matrix_value() of their seeds with `depth`
// elements a row.
[[nodiscard]] double product_element(std::uint32_t seed_a,
                                     std::uint32_t seed_b,
                                     std::int64_t depth,
                                     std::int64_t row,
                                     std::int64_t column);

// Whether `found` is `expected` as far as BF16 tells (8 bits of mantissa: one part in 256 after
// rounding) and sums of `depth` products in float32 do: each product is below 1, and an
// accumulator that cuts at 2^-13 of the largest is the coarsest that we know of.
[[nodiscard]] bool is_product_element(double found, double expected, std::int64_t depth);

}  // namespace epsim::kernels
