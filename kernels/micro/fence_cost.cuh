// fence_cost: how long one fence takes, by what is under way when it is met: stores of the fencing
// lanes, stores of their neighbours, bulk loads.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

enum class FenceKind : std::uint8_t {
  none,  // what the clock itself costs
  acq_rel_cta,
  acq_rel_gpu,
  acq_rel_sys,
  sc_gpu,
  sc_sys,
  proxy_async,  // from here on sm_90
  proxy_async_global,
  proxy_async_shared,
};

inline constexpr int kMostFenceStores = 64;    // of a lane before a fence
inline constexpr int kFenceBulkLoads = 3;      // of a CTA under way: the stages of a combine
inline constexpr int kFenceBulkBytes = 14336;  // of each: a row of 7168 channels

// Before each sample the storing warps issue `stores` vectors a lane and, if asked, thread 0 of
// each CTA issues bulk loads; then the fencing warps fence,
// `fences` times in a row. Store j of lane l of warp w goes
// to vector (w * kMostFenceStores + j) * 32 + l and holds that index's stamp.
struct FenceCost {
  uint4* target;               // vectors for all warps of the grid, here or on a peer
  const uint4* bulk_source;    // kFenceBulkBytes; nullptr: no bulk loads
  std::int64_t* fence_cycles;  // [CTAs * fencing warps][sample_count]
  FenceKind kind;
  int fences;  // of a sample; what one more of them costs is free of the clock's own cost
  int sample_count;
  int cta_count;
  int warps_per_cta;
  int fencing_warps;      // the first of each CTA
  int stores;             // at most kMostFenceStores
  bool neighbours_store;  // the warps that do not fence store, instead of those that do
  std::uint32_t stamp;
};

// The stores of all samples.
constexpr std::int64_t bytes_moved(const FenceCost& work) {
  const int storing =
      work.neighbours_store ? work.warps_per_cta - work.fencing_warps : work.fencing_warps;
  return std::int64_t{512} * work.stores * storing * work.cta_count * work.sample_count;
}

void launch_fence_cost(const FenceCost& work, cudaStream_t stream);

}  // namespace epsim::kernels
