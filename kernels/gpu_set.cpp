#include "kernels/gpu_set.hpp"

namespace epsim::kernels {

int visible_gpu_count() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

GpuSet::GpuSet(int count) {
  if (visible_gpu_count() == 0) throw CudaError("no GPU is visible to CUDA");
  if (count < 1 || count > kMostRanks || count > visible_gpu_count())
    throw CudaError("asked for " + std::to_string(count) + " GPUs, " +
                    std::to_string(visible_gpu_count()) + " are visible");
  for (int gpu = 0; gpu < count; ++gpu) {
    cuda_check(cudaSetDevice(gpu));
    for (int peer = 0; peer < count; ++peer) {
      if (peer == gpu) continue;
      const cudaError_t status = cudaDeviceEnablePeerAccess(peer, 0);
      if (status == cudaErrorPeerAccessAlreadyEnabled)
        (void)cudaGetLastError();  // another set of this process did it
      else
        cuda_check(status);
    }
    cudaStream_t stream = nullptr;
    cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    streams_.push_back(stream);
    cuda_check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    side_streams_.push_back(stream);
  }
  cuda_check(cudaDeviceGetAttribute(&sm_count_, cudaDevAttrMultiProcessorCount, 0));
}

GpuSet::~GpuSet() {
  for (int gpu = 0; gpu < count(); ++gpu) {
    cudaSetDevice(gpu);
    cudaStreamDestroy(streams_[std::size_t(gpu)]);
    cudaStreamDestroy(side_streams_[std::size_t(gpu)]);
  }
}

void GpuSet::synchronize() const {
  for (int gpu = 0; gpu < count(); ++gpu) {
    cuda_check(cudaSetDevice(gpu));
    cuda_check(cudaDeviceSynchronize());
  }
}

}  // namespace epsim::kernels
