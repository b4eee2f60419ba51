#include "kernels/reference/low_latency_reference.hpp"

#include <array>
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

using namespace epsim::kernels;

namespace {

// BF16 keeps the upper half of a float: 1.0 = 0x3f800000, so 0x3f80.
constexpr std::uint16_t kOne = 0x3f80;
constexpr std::uint16_t kTwo = 0x4000;
constexpr std::uint16_t kMinusThree = 0xc040;  // -1.1b * 2^1

}  // namespace

TEST_CASE("LL reference: BF16 rounds to nearest, and ties to even") {
  CHECK(nearest_bf16(1.0F) == kOne);
  CHECK(nearest_bf16(-3.0F) == kMinusThree);
  // BF16 has 7 bits behind the point: steps of 2^-7 at 1. 1 + 2^-8 lies half way between 0x3f80
  // and 0x3f81 and goes down to the even one; 1 + 3 * 2^-8 between 0x3f81 and 0x3f82 goes up.
  CHECK(nearest_bf16(1.0F + 0x1p-8F) == 0x3f80);
  CHECK(nearest_bf16(1.0F + 3 * 0x1p-8F) == 0x3f82);
  // Just above half way: up.
  CHECK(nearest_bf16(1.0F + 0x1p-8F + 0x1p-20F) == 0x3f81);
  CHECK(nearest_bf16(0.0F) == 0);
}

TEST_CASE("LL reference: an expert gets the tokens that chose it, in order, once for each choice") {
  // Three tokens with two choices: token 0 -> {2, 0}, token 1 -> {none, 2}, token 2 -> {1, 7}.
  const std::array<std::int64_t, 6> experts = {2, 0, -1, 2, 1, 7};
  const TokenChoices choices{experts, 2};
  CHECK(tokens_for_expert(choices, 2) == std::vector<int>{0, 1});
  CHECK(tokens_for_expert(choices, 0) == std::vector<int>{0});
  CHECK(tokens_for_expert(choices, 1) == std::vector<int>{2});
  CHECK(tokens_for_expert(choices, 3).empty());
}

TEST_CASE("LL reference: a row in FP8 has its greatest magnitude at 448 and a scale to get back") {
  // 128 channels of 1, -3, 0, 2, 0, 0, ...: greatest magnitude 3, factor 448 / 3 = 149.333...
  //   1 * 149.33: between 144 = 1.125 * 2^7 and 160 = 1.25 * 2^7, steps of 16; 149.33 is nearer to
  //     144. Exponent 7 + 7 = 14, mantissa 1: 0 1110 001 = 0x71.
  //  -3 -> -448 = -1.75 * 2^8: 1 1111 110 = 0xfe.
  //   2 -> 298.67: steps of 32 from 288 = 1.125 * 2^8 to 320; 288 is nearer. 0 1111 001 = 0x79.
  std::vector<std::uint16_t> token(128, 0);
  token[0] = kOne;
  token[1] = kMinusThree;
  token[3] = kTwo;
  const DispatchedRow row = dispatched_row(token, true);
  REQUIRE(row.payload.size() == 128);
  REQUIRE(row.scales.size() == 1);
  CHECK(row.payload[0] == 0x71);
  CHECK(row.payload[1] == 0xfe);
  CHECK(row.payload[2] == 0x00);
  CHECK(row.payload[3] == 0x79);
  CHECK(row.scales[0] == 3.0F / 448.0F);
}

TEST_CASE("LL reference: a row of zeros in FP8 keeps a finite scale") {
  // The magnitude is floored at 1e-4.
  const DispatchedRow row = dispatched_row(std::vector<std::uint16_t>(256, 0), true);
  CHECK(row.payload == std::vector<std::uint8_t>(256, 0));
  CHECK(row.scales == std::vector<float>(2, 1e-4F / 448.0F));
}

TEST_CASE("LL reference: a row in BF16 arrives as it was, low byte first") {
  const std::vector<std::uint16_t> token = {kMinusThree, kOne};
  const DispatchedRow row = dispatched_row(token, false);
  CHECK(row.payload == std::vector<std::uint8_t>{0x40, 0xc0, 0x80, 0x3f});
  CHECK(row.scales.empty());
}

TEST_CASE("LL reference: combined rows are the weighted sum") {
  const std::vector<std::uint16_t> first = {kOne, kTwo};
  const std::vector<std::uint16_t> second = {kMinusThree, kOne};
  const std::vector<WeightedRow> rows = {{first, 0.5F}, {second, 0.25F}};
  // 0.5 * 1 - 0.25 * 3 = -0.25 = 0xbe80; 0.5 * 2 + 0.25 * 1 = 1.25 = 0x3fa0.
  CHECK(combine_rows(rows, 2) == std::vector<std::uint16_t>{0xbe80, 0x3fa0});
}

TEST_CASE("LL reference: a token without any row becomes zeros") {
  CHECK(combine_rows({}, 3) == std::vector<std::uint16_t>(3, 0));
}
