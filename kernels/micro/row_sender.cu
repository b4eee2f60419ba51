#include <string>

#include "kernels/cuda_check.hpp"
#include "kernels/low_latency/send_rows.cuh"
#include "kernels/micro/row_sender.cuh"

namespace epsim::kernels {
namespace {

constexpr int kPackedGap = 16;  // as between the send stages of a packed combine

#ifdef EPSIM_HAS_BULK_COPY

// Group g stands on CTA g, or on CTA floor(g * cta_count / group_count). -1: none stands here.
__device__ __forceinline__ int group_of_cta(const RowSender& work, GroupSpread spread) {
  const int cta = static_cast<int>(blockIdx.x);
  if (spread == GroupSpread::consecutive) return cta < work.group_count ? cta : -1;
  const int group = (cta * work.group_count + work.cta_count - 1) / work.cta_count;
  const bool stands = group < work.group_count && group * work.cta_count / work.group_count == cta;
  return stands ? group : -1;
}

#endif

template <int kPrefetch>
__global__ void __launch_bounds__(kLowLatencyWarps * 32, 1)
    row_sender_kernel(const __grid_constant__ RowSender work, int pitch, GroupSpread spread) {
#ifdef EPSIM_HAS_BULK_COPY
  extern __shared__ __align__(128) std::uint8_t shared[];
  __shared__ std::uint64_t barriers[kLowLatencyWarps * kSendStages];
  const int group = group_of_cta(work, spread);
  if (group < 0) return;
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  SendPipe pipe{.stages = shared + warp * kSendStages * pitch,
                .filled = barriers + warp * kSendStages,
                .pitch = pitch};
  const std::size_t slot_bytes = sender_slot_bytes(work.row_bytes);
  open_pipe(pipe, lane);
  const std::uint64_t begin = cycle_counter();
  for (int i = 0; i < work.rows_per_warp; ++i) {
    // A group's warps take its rows in turn, as in a combine.
    const std::size_t row =
        (std::size_t(group) * work.rows_per_warp + i) * work.warps_per_group + warp;
    send_row<kPrefetch>(pipe,
                        work.rows + row * work.row_bytes,
                        work.target + (row + 1) * slot_bytes - work.row_bytes,
                        work.row_bytes,
                        lane);
  }
  if (lane == 0) work.warp_cycles[group * work.warps_per_group + warp] = cycle_counter() - begin;
#else
  __trap();
#endif
}

using SenderKernel = void (*)(RowSender, int, GroupSpread);

}  // namespace

int sender_blocks(int row_bytes) {
  return row_bytes / send_block_bytes(row_bytes);
}

void launch_row_sender(const RowSender& work,
                       int prefetch,
                       StagePitch pitch,
                       GroupSpread spread,
                       cudaStream_t stream) {
  if (prefetch < 1 || prefetch >= kSendStages || work.row_bytes % 1024 != 0 ||
      work.group_count < 1 || work.group_count > work.cta_count || work.warps_per_group < 1 ||
      work.warps_per_group > kLowLatencyWarps)
    throw CudaError("row sender: " + std::to_string(work.group_count) + " groups of " +
                    std::to_string(work.warps_per_group) + " warps, prefetch " +
                    std::to_string(prefetch) + ": out of range");
  const SenderKernel kernel = prefetch == 1 ? row_sender_kernel<1> : row_sender_kernel<2>;
  const int stage_pitch = kMostSendBlockBytes + (pitch == StagePitch::packed ? kPackedGap : 0);
  // What 32 warps would need, always: one CTA an SM, as in a combine.
  const int shared_bytes = kLowLatencyWarps * kSendStages * stage_pitch;
  cuda_check(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  kernel<<<static_cast<unsigned>(work.cta_count),
           static_cast<unsigned>(work.warps_per_group * 32),
           static_cast<std::size_t>(shared_bytes),
           stream>>>(work, stage_pitch, spread);
  cuda_check_launch();
}

}  // namespace epsim::kernels
