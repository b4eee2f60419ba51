#include <cmath>
#include <cstdint>

#include <doctest/doctest.h>

#include "kernels/overlap/matrix_value.hpp"
#include "kernels/overlap/row_stamp.hpp"
#include "kernels/reference/elementwise_reference.hpp"
#include "kernels/reference/exchange_rows_reference.hpp"
#include "kernels/reference/gemm_reference.hpp"

using namespace epsim::kernels;

TEST_CASE("Row stamp: sender, receiver and place each change it, and none looks like poison") {
  const RowStamp stamp = row_stamp(2, 3, 7);
  CHECK(stamp != row_stamp(3, 2, 7));
  CHECK(stamp != row_stamp(2, 3, 8));
  CHECK(stamp != row_stamp(2, 3, 7 + (std::int64_t{1} << 32)));
  // The first word is source * 256 + target + 1, at most 71 * 256 + 72: never all ones.
  CHECK(stamp.ends == 2 * 256 + 3 + 1);
}

TEST_CASE("Exchange reference: each source's part is stamped, and poisoned behind its rows") {
  // Two ranks, parts of 3 vectors, 2 of them exchanged.
  const auto rows = exchanged_rows(1, 2, 3, 2);
  REQUIRE(rows.size() == 6);
  CHECK(rows[0] == row_stamp(0, 1, 0));
  CHECK(rows[1] == row_stamp(0, 1, 1));
  CHECK(rows[2] == RowStamp{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff});
  CHECK(rows[4] == row_stamp(1, 1, 1));
}

TEST_CASE("Matrix value: multiples of 1/128 inside (-1, 1), which differ by place and seed") {
  double sum = 0;
  int changed = 0;
  for (std::uint64_t i = 0; i < 4096; ++i) {
    const double value = static_cast<double>(float_of_bf16(matrix_value(i, 1)));
    CHECK(value > -1);
    CHECK(value < 1);
    CHECK(value * 128 == static_cast<double>(static_cast<int>(value * 128)));
    sum += value;
    changed += matrix_value(i, 1) != matrix_value(i, 2) ? 1 : 0;
  }
  // Uniform on 255 values: a standard deviation of 0.574, so a sum's is 0.574 * 64 = 37.
  CHECK(sum > -4 * 37);
  CHECK(sum < 4 * 37);
  CHECK(changed > 4000);  // all but about one in 255
}

TEST_CASE("Normal value: mean 0, deviation 1, and every bit of the mantissa in use") {
  constexpr int kCount = 4096;
  double sum = 0;
  double squares = 0;
  int odd = 0;
  for (std::uint64_t i = 0; i < kCount; ++i) {
    const double value = static_cast<double>(float_of_bf16(normal_value(i, 1)));
    CHECK(std::abs(value) < 3.47);  // 2 * 65535 / 37837
    sum += value;
    squares += value * value;
    odd += normal_value(i, 1) & 1;
  }
  // Deviations of 4096 draws: of the sum 64; of the squares' sum below sqrt(2) * 64; of a fair coin
  // 32.
  CHECK(std::abs(sum) < 4 * 64);
  CHECK(std::abs(squares - kCount) < 4 * 91);
  CHECK(std::abs(odd - kCount / 2) < 4 * 32);
}

TEST_CASE("Elementwise reference: SiLU times y, the sum, and BF16's rounding but no more") {
  // BF16 bits: 1 is 0x3f80, 2 is 0x4000, 3 is 0x4040.
  CHECK(silu_multiplied(0x3f80, 0x4000) == doctest::Approx(2 / (1 + std::exp(-1.0))));
  CHECK(added(0x3f80, 0x4000) == 3);
  CHECK(is_elementwise_result(0x4040, 3));
  CHECK(is_elementwise_result(0x4040, 3.005));  // half a step there is 1/128
  CHECK_FALSE(is_elementwise_result(0x4041, 3));
  CHECK_FALSE(is_elementwise_result(0xffff, 3));
}

TEST_CASE("GEMM reference: a product element is its row times its column") {
  double sum = 0;
  for (std::uint64_t i = 0; i < 8; ++i)  // row 1 of A, row 2 of B, 8 elements each
    sum += static_cast<double>(float_of_bf16(matrix_value(8 + i, 5))) *
           static_cast<double>(float_of_bf16(matrix_value(16 + i, 6)));
  CHECK(product_element(5, 6, 8, 1, 2) == doctest::Approx(sum));
}

TEST_CASE("GEMM reference: an element may be off by BF16's rounding, not by a product") {
  // BF16 has 8 bits of mantissa: between 64 and 128 its numbers are 0.5 apart.
  CHECK(is_product_element(100.25, 100, 4096));
  CHECK_FALSE(is_product_element(101, 100, 4096));
  CHECK_FALSE(is_product_element(0.5, 0, 4096));
  CHECK_FALSE(is_product_element(std::nan(""), 0, 4096));
}
