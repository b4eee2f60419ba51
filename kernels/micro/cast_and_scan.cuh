// cast_rows and scan_choices: what a low-latency dispatch computes before it sends. The cast turns
// a BF16 row into FP8 with a scale for 128 channels; the scan counts the choices of a few experts.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_bf16.h>
#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kCastGroup = 128;  // channels that share a scale

// CTA c casts rows c, c + cta_count, ... one after the other, tokens_per_cta of them, starting
// again at row 0 after the last. Eight channels a thread.
struct CastRows {
  const __nv_bfloat16* source;  // [row_count][hidden]
  std::uint8_t* values;         // [row_count][hidden] e4m3
  float* scales;                // [row_count][hidden / kCastGroup]: largest magnitude / 448
  std::int64_t* token_cycles;   // [CTAs][tokens_per_cta]: row asked for to row stored, whole CTA
  int row_count;                // a multiple of cta_count
  int hidden;                   // a multiple of 256, at most 8192
  int tokens_per_cta;
  int cta_count;
};

// Read as BF16, written as FP8, and the scales.
constexpr std::int64_t bytes_moved(const CastRows& work) {
  return (std::int64_t{3} * work.hidden + 4 * (work.hidden / kCastGroup)) * work.tokens_per_cta *
         work.cta_count;
}

void launch_cast_rows(const CastRows& work, cudaStream_t stream);

inline constexpr int kScannedExperts = 2;  // that a counting warp owns, at 256 experts on 132 SMs

// One warp scans all choices, again and again.
struct ScanChoices {
  const int* choices;         // choice_count expert ids
  int* counts;                // [kScannedExperts]: choices of first_expert, first_expert + 1
  std::int64_t* scan_cycles;  // [scan_count]
  int choice_count;
  int first_expert;
  int scan_count;
};

constexpr std::int64_t bytes_moved(const ScanChoices& work) {
  return std::int64_t{4} * work.choice_count * work.scan_count;
}

void launch_scan_choices(const ScanChoices& work, cudaStream_t stream);

}  // namespace epsim::kernels
