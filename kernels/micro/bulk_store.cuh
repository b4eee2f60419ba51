// bulk_store: one lane a warp writes blocks of shared memory to peers by bulk copies. The pitch of
// the sources shows what their alignment is worth.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

// Warp w of its CTA sends from shared byte w * source_pitch. Its block b goes to target
// (W + b) % target_count, byte (W * blocks_per_warp + b) * block_bytes, where W counts the warps of
// all CTAs. Vector v of a block holds the stamp of v.
struct BulkStore {
  Peers<uint4> targets;
  int target_count;
  int blocks_per_warp;
  int cta_count;
  int warps_per_cta;
  int block_bytes;   // a multiple of 16
  int source_pitch;  // a multiple of 16, at least block_bytes
  std::uint32_t stamp;
};

constexpr std::int64_t bytes_moved(const BulkStore& work) {
  return std::int64_t{work.block_bytes} * work.blocks_per_warp * work.cta_count *
         work.warps_per_cta;
}
// A CTA's.
constexpr std::size_t shared_bytes(const BulkStore& work) {
  return static_cast<std::size_t>(work.source_pitch) * static_cast<std::size_t>(work.warps_per_cta);
}

// Needs sm_90. Sets the kernel's limit of shared memory on the current GPU.
void launch_bulk_store(const BulkStore& work, cudaStream_t stream);

}  // namespace epsim::kernels
