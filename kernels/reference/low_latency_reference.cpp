#include "kernels/reference/low_latency_reference.hpp"

#include <bit>
#include <cmath>
#include <utility>

#include "kernels/reference/cast_rows_reference.hpp"

namespace epsim::kernels {

std::uint16_t nearest_bf16(float value) {
  if (std::isnan(value)) return 0x7fff;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  // Half of the last kept place, less one when that place is even: ties go to even.
  const std::uint32_t rounded = bits + 0x7fffU + ((bits >> 16) & 1U);
  return static_cast<std::uint16_t>(rounded >> 16);
}

std::vector<int> tokens_for_expert(const TokenChoices& choices, std::int64_t expert) {
  std::vector<int> tokens;
  for (std::size_t i = 0; i < choices.experts.size(); ++i)
    if (choices.experts[i] == expert) tokens.push_back(static_cast<int>(i / choices.top_k));
  return tokens;
}

DispatchedRow dispatched_row(std::span<const std::uint16_t> token, bool fp8) {
  if (fp8) {
    CastReference cast = cast_reference(token);
    return {std::move(cast.values), std::move(cast.scales)};
  }
  DispatchedRow row;
  for (const std::uint16_t bits : token) {  // GPUs are little-endian
    row.payload.push_back(static_cast<std::uint8_t>(bits & 0xffU));
    row.payload.push_back(static_cast<std::uint8_t>(bits >> 8));
  }
  return row;
}

std::vector<std::uint16_t> combine_rows(std::span<const WeightedRow> rows, std::size_t hidden) {
  std::vector<std::uint16_t> combined(hidden);
  for (std::size_t channel = 0; channel < hidden; ++channel) {
    float sum = 0.0F;
    for (const WeightedRow& row : rows)
      sum = std::fma(bf16_value(row.row[channel]), row.weight, sum);
    combined[channel] = nearest_bf16(sum);
  }
  return combined;
}

}  // namespace epsim::kernels
