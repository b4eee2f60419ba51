// elementwise: the kernels between a model's GEMMs, bound by memory: many small CTAs that read and
// write each BF16 element once.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

inline constexpr int kElementwiseThreads = 128;

enum class ElementwiseOp : std::uint8_t {
  silu_multiply,  // z = x / (1 + e^-x) * y, 4 elements a thread
  add,            // z = x + y, 8 elements a thread
};

struct Elementwise {
  ElementwiseOp op;
  const std::uint16_t* x;  // BF16, as y and z; aligned to 16 bytes
  const std::uint16_t* y;
  std::uint16_t* z;
  std::int64_t count;  // a multiple of 1024
};

constexpr std::int64_t bytes_moved(const Elementwise& work) {
  return 3 * std::int64_t{2} * work.count;
}

void launch_elementwise(const Elementwise& work, cudaStream_t stream);

// One thread sleeps until `ns` have passed: a GPU with nothing to do. At most 100 ms.
void launch_sleep(std::int64_t ns, cudaStream_t stream);

}  // namespace epsim::kernels
