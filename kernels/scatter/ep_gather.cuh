// ep_gather: the way back from the experts. Each token becomes the weighted sum of its experts'
// rows, added in FP32 in the order of its expert ids.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kGatherChannels = 1024;  // of one CTA: 2 warps, 16 channels a thread

struct EpGather {
  const uint4* rows;      // [rows][hidden / 8], BF16
  const int* token_rows;  // [token_count][top_k], as ep_scatter_tokens left it; -1: none
  const float* weights;   // [token_count][top_k]
  uint4* tokens;          // [token_count][hidden / 8], BF16, out
  int token_count;
  int top_k;
  int hidden;  // a multiple of 8
};

// Every id valid: top_k rows and their numbers and weights read, one row written.
constexpr std::int64_t bytes_moved(const EpGather& work) {
  return std::int64_t{work.token_count} *
         (std::int64_t{2} * work.hidden * (work.top_k + 1) + std::int64_t{8} * work.top_k);
}

void launch_ep_gather(const EpGather& work, cudaStream_t stream);

}  // namespace epsim::kernels
