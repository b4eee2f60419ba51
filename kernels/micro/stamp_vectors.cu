#include "kernels/cuda_check.hpp"
#include "kernels/micro/stamp_vectors.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 512;
constexpr int kCtas = 512;  // a few for each SM; the fill is not timed

__global__ void stamp_vectors_kernel(const __grid_constant__ StampVectors work) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < work.vector_count;
       i += stride)
    work.target[i] = stamped_vector(work.stamp, static_cast<std::uint32_t>(i));
}

}  // namespace

void launch_stamp_vectors(const StampVectors& work, cudaStream_t stream) {
  stamp_vectors_kernel<<<kCtas, kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
