// clock_ratio: how fast an SM's cycle counter runs, beside the timer that counts nanoseconds.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct ClockRatio {
  std::uint64_t* elapsed;  // [0] cycles, [1] nanoseconds of the same half millisecond
};

void launch_clock_ratio(const ClockRatio& ratio, cudaStream_t stream);

}  // namespace epsim::kernels
