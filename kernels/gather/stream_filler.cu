#include "kernels/cuda_check.hpp"
#include "kernels/gather/stream_filler.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

// One thread: a stream is in order, so it need not fill the GPU to hold up what comes behind it.
__global__ void stream_filler_kernel(const __grid_constant__ StreamFiller filler) {
  const std::uint64_t begin = global_timer();
  while (global_timer() - begin < static_cast<std::uint64_t>(filler.duration_ns)) __nanosleep(100);
}

}  // namespace

void launch_stream_filler(const StreamFiller& filler, cudaStream_t stream) {
  stream_filler_kernel<<<1, 1, 0, stream>>>(filler);
  cuda_check_launch();
}

}  // namespace epsim::kernels
