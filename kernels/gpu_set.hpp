// GpuSet: the GPUs that one process drives, with peer access between all of them and a stream each.
#pragma once

#include <cstddef>
#include <vector>

#include <cuda_runtime_api.h>

#include "kernels/device_array.hpp"
#include "kernels/peers.cuh"

namespace epsim::kernels {

// GPUs that this process can see; 0 where there is no driver.
[[nodiscard]] int visible_gpu_count();

class GpuSet {
 public:
  // GPUs 0 to count-1. Throws CudaError when there are fewer or a pair has no peer access.
  explicit GpuSet(int count);
  GpuSet(const GpuSet&) = delete;
  GpuSet& operator=(const GpuSet&) = delete;
  ~GpuSet();

  [[nodiscard]] int count() const { return static_cast<int>(streams_.size()); }
  [[nodiscard]] int sm_count() const { return sm_count_; }  // of GPU 0; the set is uniform
  [[nodiscard]] cudaStream_t stream(int gpu) const { return streams_.at(std::size_t(gpu)); }
  // A second stream a GPU, for what runs beside the first. Not ordered with it.
  [[nodiscard]] cudaStream_t side_stream(int gpu) const {
    return side_streams_.at(std::size_t(gpu));
  }
  void synchronize() const;  // all streams of all GPUs; throws what a kernel left behind

 private:
  std::vector<cudaStream_t> streams_, side_streams_;
  int sm_count_ = 0;
};

// One allocation of the same size on each GPU of a set.
template <typename T>
class Symmetric {
 public:
  Symmetric() = default;
  Symmetric(const GpuSet& gpus, std::size_t count_per_gpu)
      : Symmetric(gpus.count(), count_per_gpu) {}
  Symmetric(int gpu_count, std::size_t count_per_gpu) {
    for (int gpu = 0; gpu < gpu_count; ++gpu) arrays_.emplace_back(gpu, count_per_gpu);
  }
  [[nodiscard]] DeviceArray<T>& on(int gpu) { return arrays_.at(std::size_t(gpu)); }
  [[nodiscard]] const DeviceArray<T>& on(int gpu) const { return arrays_.at(std::size_t(gpu)); }
  [[nodiscard]] Peers<T> peers() const {
    Peers<T> peers{};
    for (std::size_t r = 0; r < arrays_.size(); ++r) peers.at[r] = arrays_[r].data();
    return peers;
  }
  void fill(int byte) {
    for (DeviceArray<T>& array : arrays_) array.fill(byte);
  }

 private:
  std::vector<DeviceArray<T>> arrays_;
};

}  // namespace epsim::kernels
