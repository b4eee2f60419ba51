// ep_scatter_tokens: each token's FP8 row and scales go to a row of each of its experts. Rows of an
// expert are handed out by an atomic counter, in no order that can be relied on.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kMostScatterTopK = 32;     // one lane of a warp each
inline constexpr int kScatterScaleGroup = 128;  // channels that share a scale
inline constexpr int kMostScatterCtas = 8192;   // CTAs then stride over tokens

struct EpScatterTokens {
  const uint4* tokens;    // [token_count][hidden / 16]
  const float* scales;    // [token_count][hidden / 128]
  const int* expert_ids;  // [token_count][top_k]; -1: none
  int* next_row;          // [expert_count]: in: each expert's first row; out: one past its last
  uint4* rows;            // [row_capacity][hidden / 16], out
  float* row_scales;      // [row_capacity][hidden / 128], out
  int* token_rows;        // [token_count][top_k], out: the row taken; -1: none
  // Zeroed by the caller. An id that is no expert, or a row past the capacity, is skipped, and this
  // becomes 1 + the greatest index into expert_ids at which that happened.
  int* error_word;
  int token_count;
  int top_k;   // 1 to kMostScatterTopK
  int hidden;  // a multiple of 128
  int expert_count;
  int row_capacity;
};

// Every id valid: a token read once, and written with its row's number top_k times.
constexpr std::int64_t bytes_moved(const EpScatterTokens& work) {
  const std::int64_t row =
      work.hidden + std::int64_t{sizeof(float)} * (work.hidden / kScatterScaleGroup);
  return work.token_count * (row * (1 + work.top_k) + std::int64_t{sizeof(int)} * 2 * work.top_k);
}

void launch_ep_scatter_tokens(const EpScatterTokens& work, cudaStream_t stream);

}  // namespace epsim::kernels
