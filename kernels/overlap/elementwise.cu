#include <cuda_bf16.h>

#include "kernels/cuda_check.hpp"
#include "kernels/overlap/elementwise.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr std::uint64_t kLongestSleepNs = 100'000'000;
constexpr unsigned kNapNs = 2000;

// Two BF16 numbers in one word.
__device__ __forceinline__ float2 unpacked(unsigned word) {
  return {__uint_as_float(word << 16), __uint_as_float(word & 0xffff0000U)};
}
__device__ __forceinline__ unsigned packed(float low, float high) {
  const auto low_bits = __bfloat16_as_ushort(__float2bfloat16_rn(low));
  const auto high_bits = __bfloat16_as_ushort(__float2bfloat16_rn(high));
  return static_cast<unsigned>(low_bits) | static_cast<unsigned>(high_bits) << 16;
}

__device__ __forceinline__ float silu(float x) {
  return x / (1.0F + __expf(-x));
}
__device__ __forceinline__ unsigned silu_multiply(unsigned x, unsigned y) {
  const float2 a = unpacked(x);
  const float2 b = unpacked(y);
  return packed(silu(a.x) * b.x, silu(a.y) * b.y);
}
__device__ __forceinline__ unsigned add(unsigned x, unsigned y) {
  const float2 a = unpacked(x);
  const float2 b = unpacked(y);
  return packed(a.x + b.x, a.y + b.y);
}

__global__ void __launch_bounds__(kElementwiseThreads)
    silu_multiply_kernel(const uint2* x, const uint2* y, uint2* z) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kElementwiseThreads + threadIdx.x;
  const uint2 a = x[i];
  const uint2 b = y[i];
  z[i] = {silu_multiply(a.x, b.x), silu_multiply(a.y, b.y)};
}

__global__ void __launch_bounds__(kElementwiseThreads)
    add_kernel(const uint4* x, const uint4* y, uint4* z) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kElementwiseThreads + threadIdx.x;
  const uint4 a = x[i];
  const uint4 b = y[i];
  z[i] = {add(a.x, b.x), add(a.y, b.y), add(a.z, b.z), add(a.w, b.w)};
}

__global__ void sleep_kernel(std::uint64_t ns) {
  const std::uint64_t begin = global_timer();
  while (global_timer() - begin < ns) __nanosleep(kNapNs);
}

template <typename Vector>
void launch_vectors(void (*kernel)(const Vector*, const Vector*, Vector*),
                    const Elementwise& work,
                    cudaStream_t stream) {
  constexpr std::int64_t kPerCta =
      kElementwiseThreads * static_cast<std::int64_t>(sizeof(Vector) / sizeof(std::uint16_t));
  kernel<<<static_cast<unsigned>(work.count / kPerCta), kElementwiseThreads, 0, stream>>>(
      reinterpret_cast<const Vector*>(work.x),
      reinterpret_cast<const Vector*>(work.y),
      reinterpret_cast<Vector*>(work.z));
  cuda_check_launch();
}

}  // namespace

void launch_elementwise(const Elementwise& work, cudaStream_t stream) {
  if (work.op == ElementwiseOp::silu_multiply)
    launch_vectors<uint2>(silu_multiply_kernel, work, stream);
  else
    launch_vectors<uint4>(add_kernel, work, stream);
}

void launch_sleep(std::int64_t ns, cudaStream_t stream) {
  const auto asked = static_cast<std::uint64_t>(ns);
  sleep_kernel<<<1, 1, 0, stream>>>(asked < kLongestSleepNs ? asked : kLongestSleepNs);
  cuda_check_launch();
}

}  // namespace epsim::kernels
