// DeviceArray: memory of one GPU that frees itself. PinnedArray: memory of the host that GPUs map.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include <cuda_runtime_api.h>

#include "kernels/cuda_check.hpp"

namespace epsim::kernels {

// `count` elements of T on GPU `gpu`, not initialised. Peers with access enabled may use data().
template <typename T>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(int gpu, std::size_t count) : gpu_(gpu), count_(count) {
    cuda_check(cudaSetDevice(gpu));
    void* memory = nullptr;
    if (count > 0) cuda_check(cudaMalloc(&memory, count * sizeof(T)));
    data_ = static_cast<T*>(memory);
  }
  DeviceArray(DeviceArray&& other) noexcept { swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceArray() { cudaFree(data_); }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return count_ * sizeof(T); }
  [[nodiscard]] int gpu() const { return gpu_; }

  // Both return when the copy is done.
  void upload(std::span<const T> values, std::size_t first = 0) {
    cuda_check(cudaMemcpy(
        data_ + first, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
    // From pageable memory the call may return while the last bytes are on their way.
    cuda_check(cudaStreamSynchronize(cudaStreamLegacy));
  }
  [[nodiscard]] std::vector<T> download() const { return download(0, count_); }
  [[nodiscard]] std::vector<T> download(std::size_t first, std::size_t count) const {
    std::vector<T> values(count);
    cuda_check(cudaMemcpy(values.data(), data_ + first, count * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
  // Every byte becomes `byte`. The call without a stream returns when it is done.
  void fill(int byte) {
    cuda_check(cudaSetDevice(gpu_));
    cuda_check(cudaMemset(data_, byte, bytes()));
    cuda_check(cudaDeviceSynchronize());
  }
  void fill(int byte, cudaStream_t stream) {
    cuda_check(cudaMemsetAsync(data_, byte, bytes(), stream));
  }

 private:
  void swap(DeviceArray& other) noexcept {
    std::swap(gpu_, other.gpu_);
    std::swap(count_, other.count_);
    std::swap(data_, other.data_);
  }

  int gpu_ = 0;
  std::size_t count_ = 0;
  T* data_ = nullptr;
};

// `count` elements of T in page-locked host memory, zeroed, at one address for host and GPUs.
template <typename T>
class PinnedArray {
 public:
  explicit PinnedArray(std::size_t count) : count_(count) {
    void* memory = nullptr;
    cuda_check(
        cudaHostAlloc(&memory, count * sizeof(T), cudaHostAllocPortable | cudaHostAllocMapped));
    data_ = static_cast<T*>(memory);
    for (std::size_t i = 0; i < count; ++i) data_[i] = T{};
  }
  PinnedArray(PinnedArray&& other) noexcept
      : count_(std::exchange(other.count_, 0)), data_(std::exchange(other.data_, nullptr)) {}
  PinnedArray& operator=(PinnedArray&&) = delete;
  ~PinnedArray() { cudaFreeHost(data_); }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  T& operator[](std::size_t i) const { return data_[i]; }

 private:
  std::size_t count_ = 0;
  T* data_ = nullptr;
};

}  // namespace epsim::kernels
