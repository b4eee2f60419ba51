// barrier_loops: barriers within a GPU, over and over, timed by the thread that meets in them.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

enum class BarrierKind {
  grid,      // all CTAs of a cooperative launch
  named,     // bar.sync of all threads of a CTA
  mbarrier,  // one lane a warp arrives, all threads wait for the phase; needs sm_90
};

struct BarrierLoops {
  BarrierKind kind;
  int cta_count;  // more than one makes sense for `grid` only
  int thread_count;
  int sample_count;
  int repeat_count;       // barriers in a sample
  std::uint64_t* cycles;  // [sample_count]: of one thread, for the barriers of a sample
  // nullptr, or one zeroed word for each CTA (grid) or each thread: then each leaves the number of
  // the barrier in its word before it and reads its neighbour's after it. The times mean nothing.
  int* stamps;
  int*
      misses;  // with stamps: one zeroed word, which counts stamps that were older than the barrier
};

constexpr std::int64_t bytes_moved(const BarrierLoops& work) {
  return 8 * work.sample_count;
}

void launch_barrier_loops(const BarrierLoops& work, cudaStream_t stream);

}  // namespace epsim::kernels
