// ring_reuse: the ring of a combine with consumers that look at every vector they read. Counts rows
// in which a decode warp saw something else than the row that its barrier had announced.
//
// A round is `loads` rows through a ring of `depth` stages: the last loads - depth of them enter a
// stage that decode warps have read, which is where the missing fence would show. Between rounds
// the group meets behind fences and poisons its stages, so that no round helps or harms the next.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/low_latency/combine_fence.cuh"

namespace epsim::kernels {

// When decode warps compare what they loaded.
enum class StampCheck {
  before_release,  // loads have returned before the stage is freed
  after_release,   // loads may still be under way when the stage is freed
};

struct RingReuse {
  const std::uint8_t* rows;  // stamped: [cta_count * groups][loads], row_bytes apart
  int* last_stale;           // [cta_count * groups][loads], zeroed once
  unsigned long long* stale_rows;
  unsigned long long* stale_vectors;
  int iteration;  // of the stamps, 1 or more
  int row_bytes;  // a multiple of 1024
  int cta_count;
  int depth;
  int loads;
  int rounds;
  int delay_ns;    // a decode lane sleeps so long between its two reads of a stage; 0: not at all
  int slow_warps;  // decode warps that sleep; the others run ahead of them
};

// Throws CudaError for other placements than none, stage_release and per_load.
void launch_ring_reuse(const RingReuse& work,
                       CombineFence fence,
                       StampCheck check,
                       cudaStream_t stream);

}  // namespace epsim::kernels
