// ep_scatter on the CPU: starts and row owners as they must be, and what is wrong with a scatter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace epsim::kernels {

// Exclusive prefix sums of `counts`.
[[nodiscard]] std::vector<int> expert_starts(std::span<const int> counts);

// Row by row the expert it belongs to, as many rows as the counts sum up to.
[[nodiscard]] std::vector<int> row_experts(std::span<const int> counts);

// How many entries of `expert_ids` name each expert; those that name none are left out.
[[nodiscard]] std::vector<int> tokens_of_experts(std::span<const int> expert_ids, int expert_count);

// What a scatter read and wrote. The order of rows within an expert is free.
struct ScatterOutcome {
  std::span<const int> expert_ids;        // [tokens][top_k], -1 or out of range: none
  std::span<const int> starts;            // [experts], first row of each before the scatter
  std::span<const int> ends;              // [experts], what the scatter made of the starts
  std::span<const int> token_rows;        // [tokens][top_k]
  std::span<const std::uint8_t> tokens;   // [tokens][row_bytes]
  std::span<const std::uint8_t> rows;     // [capacity][row_bytes]
  std::span<const float> scales;          // [tokens][row_scales]
  std::span<const float> scales_of_rows;  // [capacity][row_scales]
  std::size_t top_k;
  std::size_t row_bytes;
  std::size_t row_scales;
};

// The first thing that is wrong, as a sentence; empty when the scatter is right.
[[nodiscard]] std::string scatter_fault(const ScatterOutcome& outcome);

// Rows of the experts on their way back: [tokens][hidden], each the weighted sum of its rows, in
// the order of its entries.
struct EpGatherInput {
  std::span<const float> rows;      // [rows][hidden]
  std::span<const int> token_rows;  // [tokens][top_k]; -1: none
  std::span<const float> weights;   // [tokens][top_k]
  std::size_t top_k;
  std::size_t hidden;
};
[[nodiscard]] std::vector<float> ep_gather_reference(const EpGatherInput& input);

}  // namespace epsim::kernels
