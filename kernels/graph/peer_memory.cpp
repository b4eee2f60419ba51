#include "kernels/graph/peer_memory.hpp"

#include <cstdint>
#include <string>

#include "kernels/cuda_check.hpp"
#include "kernels/graph/driver_function.hpp"

namespace epsim::kernels {

void check_peer_memory(const void* pointer, int gpu, std::size_t bytes, std::string_view name) {
  const std::string what =
      "pointer table: " + std::string(name) + " of rank " + std::to_string(gpu);
  cudaPointerAttributes attributes{};
  if (cudaPointerGetAttributes(&attributes, pointer) != cudaSuccess) {
    (void)cudaGetLastError();  // reported here, not by the next launch
    throw CudaError(what + " is no memory that CUDA knows");
  }
  if (attributes.type != cudaMemoryTypeDevice) throw CudaError(what + " is not GPU memory");
  if (attributes.device != gpu)
    throw CudaError(what + " is memory of GPU " + std::to_string(attributes.device));
  static const auto address_range =
      driver_function<decltype(&cuMemGetAddressRange)>("cuMemGetAddressRange", 12000);
  const auto address = static_cast<CUdeviceptr>(reinterpret_cast<std::uintptr_t>(pointer));
  CUdeviceptr base = 0;
  std::size_t size = 0;
  cuda_check(address_range(&base, &size, address));
  const std::size_t behind = size - static_cast<std::size_t>(address - base);
  if (behind < bytes)
    throw CudaError(what + " has " + std::to_string(behind) + " bytes and needs " +
                    std::to_string(bytes));
}

}  // namespace epsim::kernels
