#include "kernels/cuda_check.hpp"
#include "kernels/graph/call_marker.cuh"

namespace epsim::kernels {
namespace {

__global__ void call_begin_kernel() {}
__global__ void call_end_kernel() {}

}  // namespace

void launch_call_begin(cudaStream_t stream) {
  call_begin_kernel<<<1, 32, 0, stream>>>();
  cuda_check_launch();
}

void launch_call_end(cudaStream_t stream) {
  call_end_kernel<<<1, 32, 0, stream>>>();
  cuda_check_launch();
}

}  // namespace epsim::kernels
