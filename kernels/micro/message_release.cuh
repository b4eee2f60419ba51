// message_release: the send loop of a low-latency dispatch, one warp a message: take a slot by an
// atomic, copy the message there, release it. Each part is timed on its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kMostMessageBytes = 16384;
inline constexpr int kMostMessageWarps = 8;   // of a CTA: as many choices as a token has
inline constexpr int kMessageSlots = 8;       // of a warp at the target, used in turn
inline constexpr int kMessageSources = 64;    // rows at the source, shared by all warps
inline constexpr int kMessageCounters = 256;  // as many experts; warps share them
inline constexpr int kMessageSlotVectors = kMostMessageBytes / 16;

enum class ReleaseKind : std::uint8_t {
  add_gpu,    // atom.add.release.gpu on this GPU: what a dispatch does for each message
  store_sys,  // st.release.sys where the messages go: what it does for each expert
};

// Message i of warp w goes to slot i % kMessageSlots of the warp's slots, from source row
// source_row(w, i).
struct MessageRelease {
  uint4* target;         // [warps][kMessageSlots][kMessageSlotVectors]
  const uint4* source;   // [kMessageSources][kMessageSlotVectors]
  int* slot_counters;    // kMessageCounters on this GPU, never negative
  int* release_words;    // one a warp; each ends at message_count if it began at 0
  std::int64_t* cycles;  // [warps][message_count][3]: slot atomic, copy, release
  int message_bytes;     // a multiple of 16
  int message_count;
  int cta_count;
  int warps_per_cta;  // at most kMostMessageWarps
  ReleaseKind kind;
};

__host__ __device__ constexpr int source_row(int warp, int message) {
  return (warp * kMessageSlots + message % kMessageSlots) % kMessageSources;
}

// Read and written.
constexpr std::int64_t bytes_moved(const MessageRelease& work) {
  return std::int64_t{2} * work.message_bytes * work.message_count * work.cta_count *
         work.warps_per_cta;
}

void launch_message_release(const MessageRelease& work, cudaStream_t stream);

}  // namespace epsim::kernels
