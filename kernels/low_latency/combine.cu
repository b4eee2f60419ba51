#include "kernels/low_latency/combine.cuh"

#include <algorithm>
#include <array>
#include <string>

#include <cooperative_groups.h>

#include "kernels/cuda_check.hpp"
#include "kernels/low_latency/reduce_ring.cuh"
#include "kernels/low_latency/send_rows.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kPackedSendGap = 16;     // room for the stage's barrier, in DeepEP's layout
constexpr int kPackedRingGap = 32;     // two barriers and padding
constexpr int kPackedRingOffset = 16;  // of a row behind its stage's barriers
constexpr int kMostNamedGroups = 15;   // named barrier 0 is __syncthreads

// How a launch cuts itself; the same for all CTAs.
struct CombineLayout {
  LowLatencyGrid grid;
  bool sends, receives;
  int send_pitch, send_warp_bytes;
  int decoders, ring_groups, ring_offset, ring_pitch, ring_bytes;
  int shared_bytes;
};

#ifdef EPSIM_HAS_BULK_COPY

constexpr int kPrefetch = 1;  // blocks ahead of the one that is stored, as in DeepEP

// Where a warp of the send and poll phases stands.
struct PairPlace {
  int group_of_cta;
  int warp_of_group;
  int pair;  // E of them; a CTA's last groups may have none
};

__device__ __forceinline__ PairPlace pair_place(const CombineLayout& layout, int warp) {
  const int group = warp / layout.grid.warps_per_group;
  return {group,
          warp % layout.grid.warps_per_group,
          static_cast<int>(blockIdx.x) * layout.grid.groups_per_cta + group};
}

// Warp group x sends the rows that local expert x % E_l made for rank x / E_l, then raises its flag
// there.
__device__ __forceinline__ void send_pair(const LowLatencyCombine& work,
                                          const CombineLayout& layout,
                                          const PairPlace& place,
                                          SendPipe pipe,
                                          int lane) {
  const LowLatencyShape& shape = work.shape;
  const int local_experts = experts_per_rank(shape);
  const int target = place.pair / local_experts;
  const int local_expert = place.pair % local_experts;
  const int expert = shape.rank * local_experts + local_expert;
  const int row_bytes = 2 * shape.hidden;
  const std::size_t slot_bytes = std::size_t(combine_slot_bytes(shape.hidden));
  const std::size_t first_row =
      std::size_t(local_expert) * shape.rank_count * std::size_t(shape.most_tokens);
  const int2 range = __ldg(work.source.source_range + local_expert * shape.rank_count + target);
  std::uint8_t* slots = work.receive.at[target] +
                        std::size_t(expert) * shape.most_tokens * slot_bytes +
                        (slot_bytes - row_bytes);

  open_pipe(pipe, lane);
  for (int i = place.warp_of_group; i < range.x; i += layout.grid.warps_per_group) {
    const std::size_t row = first_row + range.y + i;
    const int token = __ldg(work.source.source_token + row);
    send_row<kPrefetch>(
        pipe, work.rows + row * row_bytes, slots + token * slot_bytes, row_bytes, lane);
  }
  // Lane 0 of each warp has seen its rows arrive; the barrier hands that to the thread that tells.
  named_barrier(1 + place.group_of_cta, layout.grid.warps_per_group * 32);
  if (place.warp_of_group == 0 && lane == 0)
    store_release_sys(work.flags.at[target] + expert, work.generation);
}

// Flag x of this rank has one poller. The grid sync behind hands what they saw to all threads.
template <CombineFence kFence>
__device__ __forceinline__ void wait_for_pair(const LowLatencyCombine& work, int pair) {
  const int* flag = work.flags.at[work.shape.rank] + pair;
  spin_until([&] { return load_acquire_sys(flag) == work.generation; });
  if constexpr (kFence == CombineFence::poller) fence_proxy_async();
}

template <CombineFence kFence>
__device__ __forceinline__ void reduce_rows(const LowLatencyCombine& work,
                                            const CombineLayout& layout,
                                            std::uint8_t* shared,
                                            std::uint64_t* barriers,
                                            int warp,
                                            int lane) {
  const LowLatencyShape& shape = work.shape;
  const int group = warp / (layout.decoders + 1);
  const int slice = warp % (layout.decoders + 1);
  if (group >= layout.ring_groups) return;

  std::uint8_t* mine = shared + group * layout.ring_bytes;
  std::uint64_t* own_barriers = barriers + group * 2 * kRingDepth;
  const Ring ring{.stages = mine + layout.ring_offset,
                  .full = own_barriers,
                  .empty = own_barriers + kRingDepth,
                  .outputs = mine + kRingDepth * layout.ring_pitch,
                  .depth = kRingDepth,
                  .pitch = layout.ring_pitch,
                  .row_bytes = 2 * shape.hidden};
  const std::size_t slot_bytes = std::size_t(combine_slot_bytes(shape.hidden));
  const int cta_count = static_cast<int>(gridDim.x);
  const ReduceWork reduce{.rows = work.receive.at[shape.rank] + (slot_bytes - ring.row_bytes),
                          .expert_ids = work.expert_ids,
                          .weights = work.weights,
                          .output = work.output,
                          .slot_bytes = slot_bytes,
                          .most_tokens = shape.most_tokens,
                          .token_count = shape.token_count,
                          .top_k = shape.top_k,
                          .first_token = static_cast<int>(blockIdx.x) + group * cta_count,
                          .token_stride = layout.ring_groups * cta_count};
  const bool loads = slice == layout.decoders;
  if (loads) open_ring(ring, layout.decoders, lane);
  named_barrier(1 + group, (layout.decoders + 1) * 32);
  if (loads)
    load_tokens<kFence>(ring, reduce, lane);
  else
    reduce_tokens<kFence>(ring, reduce, slice, lane);
}

#endif

template <CombineFence kFence>
__global__ void __launch_bounds__(kLowLatencyWarps * 32, 1)
    low_latency_combine_kernel(const __grid_constant__ LowLatencyCombine work,
                               const __grid_constant__ CombineLayout layout) {
#ifdef EPSIM_HAS_BULK_COPY
  extern __shared__ __align__(128) std::uint8_t shared[];
  __shared__ std::uint64_t send_barriers[kLowLatencyWarps * kSendStages];
  __shared__ std::uint64_t ring_barriers[kMostRingGroups * 2 * kRingDepth];
  // The shuffle tells the compiler that a warp's threads agree.
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const PairPlace place = pair_place(layout, warp);
  const bool owns = place.pair < work.shape.expert_count;
  if (layout.sends && owns)
    send_pair(work,
              layout,
              place,
              {.stages = shared + warp * layout.send_warp_bytes,
               .filled = send_barriers + warp * kSendStages,
               .pitch = layout.send_pitch},
              lane);
  if (!layout.receives) return;
  if (owns && place.warp_of_group == 0 && lane == 0) wait_for_pair<kFence>(work, place.pair);
  __syncwarp();
  cooperative_groups::this_grid().sync();
  reduce_rows<kFence>(work, layout, shared, ring_barriers, warp, lane);
#else
  __trap();
#endif
}

void demand(bool holds, const char* what) {
  if (!holds) throw CudaError(std::string("low-latency combine: ") + what);
}

void check_shape(const LowLatencyShape& shape) {
  demand(shape.rank_count >= 1 && shape.rank_count <= kMostRanks, "1 to 72 ranks");
  demand(shape.rank >= 0 && shape.rank < shape.rank_count, "no such rank");
  demand(shape.expert_count >= 1 && shape.expert_count % shape.rank_count == 0,
         "experts must divide among ranks");
  demand(shape.top_k >= 1 && shape.top_k <= kMostTopK, "1 to 16 choices a token");
  demand(shape.hidden > 0 && shape.hidden % kDecodeChannels == 0, "hidden must divide by 512");
  demand(shape.token_count >= 0 && shape.token_count <= shape.most_tokens,
         "more tokens than the buffers hold");
}

CombineLayout combine_layout(const LowLatencyCombine& work,
                             StagePitch pitch,
                             LaunchHalf half,
                             int sm_count) {
  const LowLatencyShape& shape = work.shape;
  const bool packed = pitch == StagePitch::packed;
  const int row_bytes = 2 * shape.hidden;
  CombineLayout layout{};
  layout.grid = low_latency_grid(shape.expert_count, sm_count);
  // As many CTAs as give each the same number of tokens, where that is more than the experts need.
  if (shape.token_count > 0) {
    const int tokens_per_cta = (shape.token_count + sm_count - 1) / sm_count;
    layout.grid.cta_count =
        std::max(layout.grid.cta_count, (shape.token_count + tokens_per_cta - 1) / tokens_per_cta);
  }
  layout.sends = half != LaunchHalf::receive;
  layout.receives = half != LaunchHalf::send;
  const int warps = layout.grid.groups_per_cta * layout.grid.warps_per_group;

  layout.send_pitch = kMostSendBlockBytes + (packed ? kPackedSendGap : 0);
  layout.send_warp_bytes =
      kSendStages * layout.send_pitch + (packed ? combine_slot_bytes(shape.hidden) - row_bytes : 0);
  layout.decoders = shape.hidden / kDecodeChannels;
  layout.ring_groups = std::min(kMostRingGroups, warps / (layout.decoders + 1));
  layout.ring_offset = packed ? kPackedRingOffset : 0;
  layout.ring_pitch = row_bytes + (packed ? kPackedRingGap : 0);
  layout.ring_bytes = kRingDepth * layout.ring_pitch + row_bytes;
  layout.shared_bytes = std::max(layout.sends ? warps * layout.send_warp_bytes : 0,
                                 layout.receives ? layout.ring_groups * layout.ring_bytes : 0);
  demand(layout.grid.groups_per_cta <= kMostNamedGroups, "too many experts for the SMs");
  demand(layout.ring_groups >= 1, "hidden needs more warps than a CTA has");
  return layout;
}

using CombineKernel = void (*)(LowLatencyCombine, CombineLayout);

CombineKernel kernel_of(CombineFence fence) {
  static const auto kernels = for_each_fence(
      [](auto constant) -> CombineKernel { return low_latency_combine_kernel<constant.value>; });
  return kernels.at(static_cast<std::size_t>(fence));
}

}  // namespace

void launch_low_latency_combine(const LowLatencyCombine& work,
                                CombineFence fence,
                                StagePitch pitch,
                                LaunchHalf half,
                                cudaStream_t stream) {
  check_shape(work.shape);
  int gpu = 0, sm_count = 0;
  cuda_check(cudaGetDevice(&gpu));
  cuda_check(cudaDeviceGetAttribute(&sm_count, cudaDevAttrMultiProcessorCount, gpu));
  const CombineLayout layout = combine_layout(work, pitch, half, sm_count);
  const CombineKernel kernel = kernel_of(fence);
  cuda_check(cudaFuncSetAttribute(
      kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, layout.shared_bytes));

  cudaLaunchAttribute cooperative{};
  cooperative.id = cudaLaunchAttributeCooperative;
  cooperative.val.cooperative = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(layout.grid.cta_count));
  config.blockDim =
      dim3(static_cast<unsigned>(layout.grid.groups_per_cta * layout.grid.warps_per_group * 32));
  config.dynamicSmemBytes = static_cast<std::size_t>(layout.shared_bytes);
  config.stream = stream;
  config.attrs = &cooperative;
  config.numAttrs = 1;
  cuda_check(cudaLaunchKernelEx(&config, kernel, work, layout));
}

}  // namespace epsim::kernels
