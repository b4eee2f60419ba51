#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"
#include "kernels/rank_barrier.cuh"

namespace epsim::kernels {
namespace {

__global__ void rank_barrier_kernel(const __grid_constant__ RankBarrier barrier) {
  if (barrier.gate != nullptr) {
    if (threadIdx.x == 0)
      spin_until([&] { return load_acquire_sys(barrier.gate) >= barrier.gate_value; });
    __syncthreads();
  }
  for (int peer = static_cast<int>(threadIdx.x); peer < barrier.rank_count; peer += 32) {
    store_release_sys(barrier.slots.at[peer] + barrier.rank * kBarrierSlotInts, barrier.epoch);
    const int* own = barrier.slots.at[barrier.rank] + peer * kBarrierSlotInts;
    spin_until([&] { return load_acquire_sys(own) >= barrier.epoch; });
  }
}

}  // namespace

void launch_rank_barrier(const RankBarrier& barrier, cudaStream_t stream) {
  rank_barrier_kernel<<<1, 32, 0, stream>>>(barrier);
  cuda_check_launch();
}

}  // namespace epsim::kernels
