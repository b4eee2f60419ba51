// peer_store: warps write 16 bytes a lane to peers, or to their own GPU. Every vector says where
// it belongs.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

// A block is what a warp writes at once: `unroll` vectors a lane. Warp w puts its block b to target
// (w + b) % target_count, at vector (w * blocks_per_warp + b) * 32 * unroll.
struct PeerStore {
  Peers<uint4> targets;
  int target_count;
  int blocks_per_warp;
  int passes;  // how often the same blocks are written
  int cta_count;
  int warps_per_cta;
  int unroll;  // 1, 4 or 8
  std::uint32_t stamp;
};

constexpr std::int64_t vectors_per_block(const PeerStore& work) {
  return std::int64_t{32} * work.unroll;
}
constexpr std::int64_t bytes_moved(const PeerStore& work) {
  return vectors_per_block(work) * 16 * work.blocks_per_warp * work.passes * work.cta_count *
         work.warps_per_cta;
}

void launch_peer_store(const PeerStore& work, cudaStream_t stream);

}  // namespace epsim::kernels
