// Shape of a low-latency dispatch and combine, and the layouts that both kernels agree on.
//
// R ranks, E experts, E_l = E / R of them on each rank, T tokens a rank (at most T_max), K choices
// a token, H channels. Warp group x of a rank owns one pair: as sender it serves global expert x,
// as receiver the pair (source rank x / E_l, local expert x % E_l). Since every pair has one owner,
// no count is exchanged before data moves.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/peers.cuh"

namespace epsim::kernels {

inline constexpr int kMostTopK = 16;
inline constexpr int kLowLatencyWarps = 32;     // of a CTA, at most
inline constexpr int kScaleGroup = 128;         // channels that share an FP8 scale
inline constexpr int kMessageHeaderBytes = 16;  // source token index and padding

struct LowLatencyShape {
  int rank;
  int rank_count;
  int expert_count;  // a multiple of rank_count
  int token_count;   // T of this rank
  int most_tokens;   // T_max, the same on all ranks; sizes the buffers
  int top_k;         // 1 to kMostTopK
  int hidden;        // a multiple of 512
};

__host__ __device__ constexpr int experts_per_rank(const LowLatencyShape& s) {
  return s.expert_count / s.rank_count;
}

// How the kernels cut themselves: groups of warps in a CTA, one expert each.
struct LowLatencyGrid {
  int groups_per_cta;
  int warps_per_group;
  int cta_count;
};
constexpr LowLatencyGrid low_latency_grid(int expert_count, int sm_count) {
  const int groups = (expert_count + sm_count - 1) / sm_count;
  return {groups, kLowLatencyWarps / groups, (expert_count + groups - 1) / groups};
}

// Bytes of one message of a dispatch: header, payload, and for FP8 one float scale for 128
// channels.
__host__ __device__ constexpr int dispatch_message_bytes(int hidden, bool fp8) {
  return kMessageHeaderBytes + (fp8 ? hidden + hidden / kScaleGroup * 4 : 2 * hidden);
}
// Bytes of one slot of a combine: room for LogFMT's ranges, then the row in BF16.
__host__ __device__ constexpr int combine_slot_bytes(int hidden) {
  return hidden / kScaleGroup * 4 + 2 * hidden;
}

// Receive buffer of a dispatch, bytes: [E_l][R][T_max] messages.
constexpr std::size_t dispatch_receive_bytes(const LowLatencyShape& s, bool fp8) {
  return std::size_t(s.expert_count) * std::size_t(s.most_tokens) *
         std::size_t(dispatch_message_bytes(s.hidden, fp8));
}
// Receive buffer of a combine, bytes: [E][T_max] slots, by global expert and source token.
constexpr std::size_t combine_receive_bytes(const LowLatencyShape& s) {
  return std::size_t(s.expert_count) * std::size_t(s.most_tokens) *
         std::size_t(combine_slot_bytes(s.hidden));
}

// What a dispatch leaves for the experts and for the combine, all on the receiving rank.
struct ExpertInput {
  std::uint8_t* rows;  // [E_l][R * T_max][H] FP8, or BF16 at two bytes a channel
  float* scales;       // FP8: [E_l][H / 128][R * T_max], column by column
  int* source_token;   // [E_l][R * T_max]: index of the token at its source
  int2* source_range;  // [E_l][R]: x = rows from that source, y = the first of them
};

// A signal word carries the generation of the call that wrote it, so that nothing is ever cleaned:
// dispatch: (generation << 16) | (rows + 1); combine: the generation alone. Generations run from 1
// to kMostGenerations and then start over; two calls that use the same words must be
// stream-ordered.
inline constexpr int kMostGenerations = 0x7fff;

// Which half of a dispatch or combine a launch does. Two launches, send and then receive, do what
// one launch of both does; the caller may put other work between them on the same stream.
enum class LaunchHalf { both, send, receive };

}  // namespace epsim::kernels
