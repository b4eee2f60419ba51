#include <algorithm>
#include <string>

#include "kernels/cuda_check.hpp"
#include "kernels/low_latency/reduce_ring.cuh"
#include "kernels/low_latency/shape.cuh"
#include "kernels/micro/ring_reduce.cuh"

namespace epsim::kernels {
namespace {

constexpr int kRingGap = 32;  // stages as far apart as in a packed combine

int ring_bytes(int row_bytes, int depth) {
  return depth * (row_bytes + kRingGap) + row_bytes;
}

int decoders_of(int row_bytes) {
  return row_bytes / kDecodeSliceBytes;
}

template <CombineFence kFence>
__global__ void __launch_bounds__(kLowLatencyWarps * 32, 1)
    ring_reduce_kernel(const __grid_constant__ RingReduce work, int groups, int group_bytes) {
#ifdef EPSIM_HAS_BULK_COPY
  extern __shared__ __align__(128) std::uint8_t shared[];
  __shared__ std::uint64_t barriers[kMostRingGroups * 2 * kMostRingDepth];
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int decoders = work.row_bytes / kDecodeSliceBytes;
  const int group = warp / (decoders + 1);
  const int slice = warp % (decoders + 1);
  constexpr int kRingOffset = 16;  // of the first row, as in a packed combine
  std::uint8_t* mine = shared + group * group_bytes;
  std::uint64_t* own_barriers = barriers + group * 2 * kMostRingDepth;
  const Ring ring{.stages = mine + kRingOffset,
                  .full = own_barriers,
                  .empty = own_barriers + kMostRingDepth,
                  .outputs = mine + work.depth * (work.row_bytes + kRingGap),
                  .depth = work.depth,
                  .pitch = work.row_bytes + kRingGap,
                  .row_bytes = work.row_bytes};
  const int cta = static_cast<int>(blockIdx.x), cta_count = static_cast<int>(gridDim.x);
  const std::size_t slot_bytes = std::size_t(work.row_bytes) + work.row_bytes / 64;
  const ReduceWork reduce{.rows = work.slots + (slot_bytes - work.row_bytes),
                          .expert_ids = work.expert_ids,
                          .weights = work.weights,
                          .output = work.output,
                          .slot_bytes = slot_bytes,
                          .most_tokens = work.token_count,
                          .token_count = work.token_count,
                          .top_k = work.top_k,
                          .first_token = cta + group * cta_count,
                          .token_stride = groups * cta_count};
  const bool loads = slice == decoders;
  if (loads) open_ring(ring, decoders, lane);
  // In a combine the poller is any thread; what counts here is that another one loads.
  if constexpr (kFence == CombineFence::poller)
    if (slice == 0 && lane == 0) fence_proxy_async();
  named_barrier(1 + group, (decoders + 1) * 32);
  if (loads) {
    const std::uint64_t begin = cycle_counter();
    load_tokens<kFence>(ring, reduce, lane);
    if (lane == 0) work.loader_cycles[cta * groups + group] = cycle_counter() - begin;
  } else {
    reduce_tokens<kFence>(ring, reduce, slice, lane);
  }
#else
  __trap();
#endif
}

using RingKernel = void (*)(RingReduce, int, int);

constexpr int kThreads = 256;

__device__ int channel_value(int expert, int token, int channel) {
  return (3 * expert + 5 * token + channel) % 15 - 7;
}
__device__ float weight_of(int k) {
  return 1.0F / static_cast<float>(1 << (k % 3));
}

// One CTA a slot.
__global__ void fill_ring_slots_kernel(RingReduce work) {
  const int slot = static_cast<int>(blockIdx.x);
  const std::size_t slot_bytes = std::size_t(work.row_bytes) + work.row_bytes / 64;
  const int expert = slot / work.token_count, token = slot % work.token_count;
  uint4* row =
      reinterpret_cast<uint4*>(work.slots + (slot + std::size_t{1}) * slot_bytes - work.row_bytes);
  for (int v = static_cast<int>(threadIdx.x); v < work.row_bytes / 16; v += kThreads) {
    std::uint32_t words[4];
    for (int w = 0; w < 4; ++w) {
      const int channel = v * 8 + w * 2;
      const __nv_bfloat162 pair =
          __floats2bfloat162_rn(static_cast<float>(channel_value(expert, token, channel)),
                                static_cast<float>(channel_value(expert, token, channel + 1)));
      words[w] = *reinterpret_cast<const std::uint32_t*>(&pair);
    }
    row[v] = make_uint4(words[0], words[1], words[2], words[3]);
  }
}

__global__ void fill_ring_choices_kernel(int choices,
                                         int top_k,
                                         std::int64_t* expert_ids,
                                         float* weights) {
  const int i = static_cast<int>(blockIdx.x * kThreads + threadIdx.x);
  if (i >= choices) return;
  expert_ids[i] = i % top_k;
  weights[i] = weight_of(i % top_k);
}

// One CTA a token.
__global__ void count_wrong_sums_kernel(RingReduce work, unsigned long long* wrong) {
  const int token = static_cast<int>(blockIdx.x);
  const int channels = work.row_bytes / 2;
  unsigned long long mine = 0;
  for (int c = static_cast<int>(threadIdx.x); c < channels; c += kThreads) {
    float sum = 0;
    for (int k = 0; k < work.top_k; ++k)
      sum += weight_of(k) * static_cast<float>(channel_value(k, token, c));
    const std::uint32_t found = work.output[std::size_t(token) * channels + c];
    mine += __uint_as_float(found << 16) == sum ? 0 : 1;
  }
  if (mine > 0) atomicAdd(wrong, mine);
}

}  // namespace

int ring_groups(int row_bytes) {
  return std::min(kMostRingGroups, kLowLatencyWarps / (decoders_of(row_bytes) + 1));
}

bool ring_fits(int row_bytes, int depth) {
  int gpu = 0, most = 0;
  cuda_check(cudaGetDevice(&gpu));
  cuda_check(cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, gpu));
  // The barriers are static and small; 1 KiB is more than they take.
  return ring_groups(row_bytes) * ring_bytes(row_bytes, depth) + 1024 <= most;
}

void launch_ring_reduce(const RingReduce& work, CombineFence fence, cudaStream_t stream) {
  const int groups = ring_groups(work.row_bytes);
  if (work.row_bytes % kDecodeSliceBytes != 0 || groups < 1 || work.depth < 1 ||
      work.depth > kMostRingDepth || work.top_k < 1 || work.top_k > kMostTopK)
    throw CudaError("ring reduce: rows of " + std::to_string(work.row_bytes) + " bytes, depth " +
                    std::to_string(work.depth) + ", " + std::to_string(work.top_k) +
                    " choices a token: out of range");
  static const auto kernels = for_each_fence(
      [](auto constant) -> RingKernel { return ring_reduce_kernel<constant.value>; });
  const RingKernel kernel = kernels.at(static_cast<std::size_t>(fence));
  const int group_bytes = ring_bytes(work.row_bytes, work.depth);
  cuda_check(cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, groups * group_bytes));
  const unsigned threads = static_cast<unsigned>(groups * (decoders_of(work.row_bytes) + 1) * 32);
  kernel<<<static_cast<unsigned>(work.cta_count),
           threads,
           static_cast<std::size_t>(groups * group_bytes),
           stream>>>(work, groups, group_bytes);
  cuda_check_launch();
}

void launch_fill_ring_slots(const RingReduce& work, cudaStream_t stream) {
  const int slots = work.top_k * work.token_count;
  fill_ring_slots_kernel<<<static_cast<unsigned>(slots), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_fill_ring_choices(const RingReduce& work,
                              std::int64_t* expert_ids,
                              float* weights,
                              cudaStream_t stream) {
  const int choices = work.top_k * work.token_count;
  const unsigned ctas = static_cast<unsigned>((choices + kThreads - 1) / kThreads);
  fill_ring_choices_kernel<<<ctas, kThreads, 0, stream>>>(choices, work.top_k, expert_ids, weights);
  cuda_check_launch();
}

void launch_count_wrong_sums(const RingReduce& work,
                             unsigned long long* wrong,
                             cudaStream_t stream) {
  const unsigned tokens = static_cast<unsigned>(work.token_count);
  count_wrong_sums_kernel<<<tokens, kThreads, 0, stream>>>(work, wrong);
  cuda_check_launch();
}

}  // namespace epsim::kernels
