// low_latency_reference: what a low-latency dispatch and combine must compute, in plain C++ and
// slowly. Rounds exactly as the kernels do, so that results may be compared bit by bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace epsim::kernels {

// BF16 bits: to nearest, ties to even.
[[nodiscard]] std::uint16_t nearest_bf16(float value);

// One rank's choices: [tokens][top_k] experts, -1 where there is none.
struct TokenChoices {
  std::span<const std::int64_t> experts;
  std::size_t top_k = 0;
};
// The tokens of a source that must arrive at `expert`, ascending; one entry for each choice.
[[nodiscard]] std::vector<int> tokens_for_expert(const TokenChoices& choices, std::int64_t expert);

// What of a token arrives: [payload][scales], as bytes and floats. FP8 as cast_reference has it
// (kernels/reference/cast_rows_reference.hpp); BF16 unchanged and without scales.
struct DispatchedRow {
  std::vector<std::uint8_t> payload;
  std::vector<float> scales;
  bool operator==(const DispatchedRow&) const = default;
};
[[nodiscard]] DispatchedRow dispatched_row(std::span<const std::uint16_t> token, bool fp8);

// A row that came back, BF16, and what it counts.
struct WeightedRow {
  std::span<const std::uint16_t> row;
  float weight = 0;
};
// Sum of weight * row in FP32, in the order given, one rounding a step; rounded to BF16 at the end.
[[nodiscard]] std::vector<std::uint16_t> combine_rows(std::span<const WeightedRow> rows,
                                                      std::size_t hidden);

}  // namespace epsim::kernels
