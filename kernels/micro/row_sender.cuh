// row_sender: the send phase of a combine by itself: groups of warps push rows, 2 KB at a time, to
// this GPU's memory or a peer's. Nobody waits and no flag is raised.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/low_latency/combine.cuh"

namespace epsim::kernels {

// Which CTAs of a full grid have a group. CTA ids that follow each other share parts of the GPU.
enum class GroupSpread { consecutive, spread };

struct RowSender {
  const std::uint8_t* rows;    // [group_count * warps_per_group * rows_per_warp], row_bytes apart
  std::uint8_t* target;        // as many slots of a combine; any GPU's memory
  std::uint64_t* warp_cycles;  // [group_count][warps_per_group]
  int row_bytes;               // a multiple of 1024
  int rows_per_warp;
  int warps_per_group;  // 1 to 32
  int group_count;      // at most cta_count
  int cta_count;
};

constexpr int row_count(const RowSender& work) {
  return work.group_count * work.warps_per_group * work.rows_per_warp;
}
// Slots are as far apart as in a combine: the row and room for LogFMT's ranges.
__host__ __device__ constexpr std::size_t sender_slot_bytes(int row_bytes) {
  return std::size_t(combine_slot_bytes(row_bytes / 2));
}
// Blocks that a row is cut into.
[[nodiscard]] int sender_blocks(int row_bytes);

constexpr std::int64_t bytes_moved(const RowSender& work) {
  return std::int64_t{2} * row_count(work) * work.row_bytes;
}

// prefetch: blocks loaded ahead of the one that is stored, 1 or 2.
void launch_row_sender(
    const RowSender& work, int prefetch, StagePitch pitch, GroupSpread spread, cudaStream_t stream);

}  // namespace epsim::kernels
