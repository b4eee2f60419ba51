// stamp_vectors: fills memory with 16-byte vectors that each know their place, so that a copy of
// them can be checked wherever it lands. The CPU's side is kernels/reference/stamp_reference.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

struct StampVectors {
  uint4* target;  // device memory
  std::size_t vector_count;
  std::uint32_t stamp;
};

constexpr std::int64_t bytes_moved(const StampVectors& work) {
  return static_cast<std::int64_t>(work.vector_count * sizeof(uint4));
}

// What vector `index` of a run with that stamp holds.
__host__ __device__ inline uint4 stamped_vector(std::uint32_t stamp, std::uint32_t index) {
  return uint4{stamp, index, ~index, stamp ^ index};
}

void launch_stamp_vectors(const StampVectors& work, cudaStream_t stream);

}  // namespace epsim::kernels
