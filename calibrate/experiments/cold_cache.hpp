// ColdCache: pushes everything out of a GPU's L2 cache, so that the next kernel reads from HBM.
#pragma once

#include <cstddef>

#include <cuda_runtime_api.h>

#include "kernels/device_array.hpp"

namespace epsim {

class ColdCache {
 public:
  explicit ColdCache(int gpu) : filler_(gpu, kCaches * cache_bytes(gpu)) {}

  // Enqueues a fill of twice the size of the cache.
  void flush(cudaStream_t stream) { filler_.fill(0, stream); }

 private:
  static constexpr std::size_t kCaches = 2;  // the replacement is not strictly by age

  static std::size_t cache_bytes(int gpu) {
    int bytes = 0;
    kernels::cuda_check(cudaDeviceGetAttribute(&bytes, cudaDevAttrL2CacheSize, gpu));
    return static_cast<std::size_t>(bytes);
  }

  kernels::DeviceArray<std::byte> filler_;
};

}  // namespace epsim
