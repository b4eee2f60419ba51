#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "kernels/reference/cast_rows_reference.hpp"
#include "kernels/reference/stamp_reference.hpp"

namespace epsim::kernels {

TEST_CASE("FP8 reference: values round to the nearest e4m3, ties to the even mantissa") {
  // e4m3: sign, exponent + 7 in 4 bits, 3 bits of mantissa. 1 = 2^0 * 1.000 -> 0'0111'000.
  CHECK(nearest_e4m3(1.0F) == 0x38);
  CHECK(nearest_e4m3(-1.0F) == 0xb8);
  CHECK(nearest_e4m3(0.0F) == 0x00);
  // From 16 to 32 steps are 2. 17 lies between 16 (mantissa 0) and 18 (1); 19 between 18 and 20
  // (2).
  CHECK(nearest_e4m3(17.0F) == 0x58);
  CHECK(nearest_e4m3(19.0F) == 0x5a);
  // From 8 to 16 steps are 1. 15.5 lies between 15 (mantissa 7) and 16, the next binade's first.
  CHECK(nearest_e4m3(15.5F) == 0x58);
}

TEST_CASE("FP8 reference: values beyond 448 saturate, values below 2^-6 keep steps of 2^-9") {
  CHECK(nearest_e4m3(448.0F) == 0x7e);  // 1.75 * 2^8 -> 0'1111'110
  CHECK(nearest_e4m3(1e9F) == 0x7e);
  CHECK(nearest_e4m3(-1e9F) == 0xfe);
  const float step = 1.0F / 512;
  CHECK(nearest_e4m3(step) == 0x01);
  CHECK(nearest_e4m3(step * 0.5F) == 0x00);  // tie between 0 and 1 steps
  CHECK(nearest_e4m3(step * 1.5F) == 0x02);  // tie between 1 and 2 steps
  CHECK(nearest_e4m3(step * 8) == 0x08);     // 2^-6, the first normal number
}

TEST_CASE("Cast reference: the largest channel of 128 becomes 448, the others keep their ratio") {
  std::vector<std::uint16_t> row(256, 0x3f80);  // 1.0 in BF16
  row[5] = 0xc080;                              // -4.0
  for (std::size_t i = 128; i < 256; ++i) row[i] = 0;
  const CastReference cast = cast_reference(row);
  // Group 0: factor 448 / 4 = 112; 1 -> 112 = 1.75 * 2^6 -> 0'1101'110; -4 -> -448.
  CHECK(cast.values[0] == 0x6e);
  CHECK(cast.values[5] == 0xfe);
  CHECK(cast.scales[0] == 4.0F / 448);
  // Group 1 is all zeros: its peak is held at 1e-4.
  CHECK(cast.values[128] == 0);
  CHECK(cast.scales[1] == 1e-4F / 448);
  CHECK(cast.values.size() == 256);
}

TEST_CASE("Stamp reference: a vector out of its place is wrong, a poisoned one untouched") {
  std::vector<std::uint32_t> words;
  for (std::uint32_t index = 7; index < 10; ++index)
    for (const std::uint32_t word : stamp_words(0x51, index)) words.push_back(word);
  CHECK(wrong_vectors(words, 0x51, 7) == 0);
  CHECK(wrong_vectors(words, 0x51, 8) == 3);
  CHECK(wrong_vectors(words, 0x52, 7) == 3);
  words[6] ^= 1;  // in the second vector
  CHECK(wrong_vectors(words, 0x51, 7) == 1);
  std::vector<std::uint32_t> poisoned(8, 0xa5a5a5a5U);
  CHECK(touched_vectors(poisoned, 0xa5) == 0);
  poisoned[4] = 0;
  CHECK(touched_vectors(poisoned, 0xa5) == 1);
}

}  // namespace epsim::kernels
