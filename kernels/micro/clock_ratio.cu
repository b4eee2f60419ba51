#include "kernels/cuda_check.hpp"
#include "kernels/micro/clock_ratio.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

// Long enough that a tick of the timer, 32 ns or 1 us by GPU, is a small part of it.
constexpr std::uint64_t kSpanNs = 500'000;

__global__ void clock_ratio_kernel(ClockRatio ratio) {
  const std::uint64_t begin_ns = global_timer();
  const std::uint64_t begin = cycle_counter();
  std::uint64_t end_ns = begin_ns;
  while (end_ns - begin_ns < kSpanNs) end_ns = global_timer();
  ratio.elapsed[0] = cycle_counter() - begin;
  ratio.elapsed[1] = end_ns - begin_ns;
}

}  // namespace

void launch_clock_ratio(const ClockRatio& ratio, cudaStream_t stream) {
  clock_ratio_kernel<<<1, 1, 0, stream>>>(ratio);
  cuda_check_launch();
}

}  // namespace epsim::kernels
