// fill_matrix: writes matrix_value() or normal_value() into memory of a GPU.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

namespace epsim::kernels {

void launch_fill_matrix(std::uint16_t* matrix,
                        std::int64_t count,
                        std::uint32_t seed,
                        cudaStream_t stream);
void launch_fill_normal_matrix(std::uint16_t* matrix,
                               std::int64_t count,
                               std::uint32_t seed,
                               cudaStream_t stream);

}  // namespace epsim::kernels
