#include <algorithm>

#include <cuda_bf16.h>

#include "kernels/cuda_check.hpp"
#include "kernels/scatter/ep_gather.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 64;
constexpr int kChannelsPerVector = 8;
constexpr int kMostGridRows = 1024;  // CTAs then stride over tokens

__device__ __forceinline__ void add_weighted(float (&sum)[kChannelsPerVector],
                                             const uint4& vector,
                                             float weight) {
  const __nv_bfloat162* pairs = reinterpret_cast<const __nv_bfloat162*>(&vector);
#pragma unroll
  for (int p = 0; p < kChannelsPerVector / 2; ++p) {
    const float2 pair = __bfloat1622float2(pairs[p]);
    sum[2 * p] = fmaf(weight, pair.x, sum[2 * p]);
    sum[2 * p + 1] = fmaf(weight, pair.y, sum[2 * p + 1]);
  }
}

__device__ __forceinline__ uint4 rounded(const float (&sum)[kChannelsPerVector]) {
  uint4 vector;
  __nv_bfloat162* pairs = reinterpret_cast<__nv_bfloat162*>(&vector);
#pragma unroll
  for (int p = 0; p < kChannelsPerVector / 2; ++p)
    pairs[p] = __floats2bfloat162_rn(sum[2 * p], sum[2 * p + 1]);
  return vector;
}

// grid.x covers the channels, grid.y strides over the tokens.
__global__ void __launch_bounds__(kThreads)
    ep_gather_kernel(const __grid_constant__ EpGather work) {
  const std::int64_t vectors = work.hidden / kChannelsPerVector;
  const std::int64_t first =
      std::int64_t{blockIdx.x} * (kGatherChannels / kChannelsPerVector) + threadIdx.x;
  const std::int64_t end =
      min(vectors, std::int64_t{blockIdx.x + 1} * (kGatherChannels / kChannelsPerVector));
  for (std::int64_t token = blockIdx.y; token < work.token_count; token += gridDim.y)
    for (std::int64_t v = first; v < end; v += kThreads) {
      float sum[kChannelsPerVector] = {};
      for (int k = 0; k < work.top_k; ++k) {
        const int row = work.token_rows[token * work.top_k + k];
        if (row < 0) continue;
        add_weighted(sum, work.rows[row * vectors + v], work.weights[token * work.top_k + k]);
      }
      work.tokens[token * vectors + v] = rounded(sum);
    }
}

}  // namespace

void launch_ep_gather(const EpGather& work, cudaStream_t stream) {
  if (work.token_count == 0 || work.hidden == 0) return;
  const dim3 grid(static_cast<unsigned int>((work.hidden + kGatherChannels - 1) / kGatherChannels),
                  static_cast<unsigned int>(std::min(work.token_count, kMostGridRows)));
  ep_gather_kernel<<<grid, kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
