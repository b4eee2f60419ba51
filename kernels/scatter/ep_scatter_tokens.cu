#include <algorithm>

#include "kernels/cuda_check.hpp"
#include "kernels/scatter/ep_scatter_tokens.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;

// The row that entry `index` of expert_ids gets, or -1. Bad entries leave a mark.
__device__ int take_row(const EpScatterTokens& work, int index) {
  const int expert = work.expert_ids[index];
  if (expert == -1) return -1;
  if (expert >= 0 && expert < work.expert_count) {
    const int row = atomicAdd(work.next_row + expert, 1);
    if (row >= 0 && row < work.row_capacity) return row;
  }
  atomicMax(work.error_word, index + 1);
  return -1;
}

// A CTA a token: one lane takes a row for each of its experts, then all threads copy, each vector
// loaded once.
__global__ void __launch_bounds__(kThreads)
    ep_scatter_tokens_kernel(const __grid_constant__ EpScatterTokens work) {
  __shared__ int rows[kMostScatterTopK];
  const int thread = static_cast<int>(threadIdx.x);
  const int vectors = work.hidden / 16, scales = work.hidden / kScatterScaleGroup;
  for (int token = static_cast<int>(blockIdx.x); token < work.token_count;
       token += static_cast<int>(gridDim.x)) {
    if (thread < work.top_k) {
      const int index = token * work.top_k + thread;
      rows[thread] = take_row(work, index);
      work.token_rows[index] = rows[thread];
    }
    __syncthreads();
    const std::int64_t source = token;
    for (int v = thread; v < vectors; v += kThreads) {
      const uint4 value = work.tokens[source * vectors + v];
      for (int k = 0; k < work.top_k; ++k)
        if (rows[k] >= 0) work.rows[std::int64_t{rows[k]} * vectors + v] = value;
    }
    for (int s = thread; s < scales; s += kThreads) {
      const float value = work.scales[source * scales + s];
      for (int k = 0; k < work.top_k; ++k)
        if (rows[k] >= 0) work.row_scales[std::int64_t{rows[k]} * scales + s] = value;
    }
    __syncthreads();  // the next token's rows overwrite these
  }
}

}  // namespace

void launch_ep_scatter_tokens(const EpScatterTokens& work, cudaStream_t stream) {
  if (work.top_k < 1 || work.top_k > kMostScatterTopK || work.hidden % kScatterScaleGroup != 0)
    throw CudaError("ep_scatter_tokens: top_k or hidden is out of range");
  if (work.token_count == 0) return;
  const int ctas = std::min(work.token_count, kMostScatterCtas);
  ep_scatter_tokens_kernel<<<static_cast<unsigned int>(ctas), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
