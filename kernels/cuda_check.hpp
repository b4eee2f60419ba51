// cuda_check: a CUDA call that failed becomes an exception which says where and why.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

#include <cuda.h>
#include <cuda_runtime_api.h>

namespace epsim::kernels {

// The device or its driver said no: not the input's fault, and not a bug that we know of.
class CudaError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline std::string error_place(const std::source_location& place) {
  return std::string(place.file_name()) + ":" + std::to_string(place.line()) + ": ";
}

// Throw CudaError unless the call succeeded.
inline void cuda_check(cudaError_t status,
                       const std::source_location& place = std::source_location::current()) {
  if (status != cudaSuccess)
    throw CudaError(error_place(place) + cudaGetErrorName(status) + ": " +
                    cudaGetErrorString(status));
}
inline void cuda_check(CUresult status,
                       const std::source_location& place = std::source_location::current()) {
  if (status != CUDA_SUCCESS)
    throw CudaError(error_place(place) + "driver error " +
                    std::to_string(static_cast<int>(status)));
}

// What a launch left behind; call it right after each <<<>>>.
inline void cuda_check_launch(const std::source_location& place = std::source_location::current()) {
  cuda_check(cudaGetLastError(), place);
}

}  // namespace epsim::kernels
