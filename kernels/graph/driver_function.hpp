// driver_function: a function of the driver, looked up at run time, so that nothing links to it.
#pragma once

#include <string>

#include <cuda_runtime_api.h>

#include "kernels/cuda_check.hpp"

namespace epsim::kernels {

// `version`: the CUDA version whose form of the function is wanted, such as 12000.
template <typename Function>
Function driver_function(const char* name, unsigned version) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  cuda_check(cudaGetDriverEntryPointByVersion(name, &function, version, cudaEnableDefault, &found));
  if (found != cudaDriverEntryPointSuccess || function == nullptr)
    throw CudaError("this driver has no " + std::string(name));
  return reinterpret_cast<Function>(function);
}

}  // namespace epsim::kernels
