// FenceBench: what the fence experiments share: the buffers, the check of the stores that surround
// a fence, and the clock's own cost taken off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "calibrate/lab.hpp"
#include "calibrate/measurement.hpp"
#include "kernels/gpu_set.hpp"
#include "kernels/micro/fence_cost.cuh"

namespace epsim {

// Which fence, who fences, and what is under way meanwhile.
struct FenceRun {
  kernels::FenceKind kind = kernels::FenceKind::none;
  int ctas = 1;
  int warps = 1;          // of a CTA
  int fencing_warps = 1;  // of a CTA
  int stores = 0;         // of a lane, before each fence
  bool neighbours_store = false;
  bool to_peer = false;         // the stores; needs two GPUs
  bool bulk_loads = false;      // needs sm_90
  bool inbound_stores = false;  // from GPU 1 to GPU 0; needs two GPUs
};

inline constexpr int kFencingCtaWarps = 32;

// Who fences: `warp` is one warp of the GPU, `cta` a full CTA, `all_sms` a full CTA on every SM,
// and `load_warps` two warps on every SM, as many as load rows in a combine.
void set_extent(FenceRun& run, std::string_view extent, int sm_count);

class FenceBench {
 public:
  explicit FenceBench(Lab& lab);

  // Series "fence_ns": a sample is the mean over all fencing warps, less the median of the same
  // with no fence. Where nothing is under way also "chained_fence_ns": what each further fence
  // of a chain adds, which holds even if the clock does not wait for a single fence. Throws
  // DeviceError when a store went astray, or when inbound stores ended early.
  [[nodiscard]] PointResult measure(const FenceRun& run);

 private:
  [[nodiscard]] kernels::FenceCost work_of(const FenceRun& run,
                                           std::size_t samples,
                                           int fences = 1);
  void verify(const FenceRun& run);
  [[nodiscard]] std::vector<double> sample(const FenceRun& run, int fences = 1);
  void launch_inbound_stores();

  Lab& lab_;
  kernels::Symmetric<uint4> targets_;  // on GPU 0 and, where there is one, GPU 1
  kernels::DeviceArray<uint4> inbound_, bulk_source_;
  kernels::DeviceArray<std::int64_t> cycles_;
  double cycles_per_ns_;
};

}  // namespace epsim
