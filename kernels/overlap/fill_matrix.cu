#include "kernels/cuda_check.hpp"
#include "kernels/overlap/fill_matrix.cuh"
#include "kernels/overlap/matrix_value.hpp"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kCtas = 1024;  // several for each SM of any GPU we know: a plain streaming pass

__global__ void fill_matrix_kernel(std::uint16_t* matrix, std::int64_t count, std::uint32_t seed) {
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += std::int64_t{kCtas} * kThreads)
    matrix[i] = matrix_value(static_cast<std::uint64_t>(i), seed);
}

__global__ void fill_normal_matrix_kernel(std::uint16_t* matrix,
                                          std::int64_t count,
                                          std::uint32_t seed) {
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += std::int64_t{kCtas} * kThreads)
    matrix[i] = normal_value(static_cast<std::uint64_t>(i), seed);
}

}  // namespace

void launch_fill_matrix(std::uint16_t* matrix,
                        std::int64_t count,
                        std::uint32_t seed,
                        cudaStream_t stream) {
  fill_matrix_kernel<<<kCtas, kThreads, 0, stream>>>(matrix, count, seed);
  cuda_check_launch();
}

void launch_fill_normal_matrix(std::uint16_t* matrix,
                               std::int64_t count,
                               std::uint32_t seed,
                               cudaStream_t stream) {
  fill_normal_matrix_kernel<<<kCtas, kThreads, 0, stream>>>(matrix, count, seed);
  cuda_check_launch();
}

}  // namespace epsim::kernels
