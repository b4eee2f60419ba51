#include "kernels/micro/empty_kernel.cuh"

#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kMostThreads = 1024;

__global__ void __launch_bounds__(kMostThreads, 1) empty_kernel() {}

__global__ void __launch_bounds__(kMostThreads, 1) stamped_kernel(CtaStamp* stamps) {
  const std::uint64_t first = global_timer();
  __syncthreads();
  if (threadIdx.x == 0) stamps[blockIdx.x] = {first, global_timer()};
}

}  // namespace

void prepare_empty(const EmptyLaunch& work) {
  const cudaFuncAttribute attribute = cudaFuncAttributeMaxDynamicSharedMemorySize;
  cuda_check(cudaFuncSetAttribute(empty_kernel, attribute, work.shared_bytes));
  cuda_check(cudaFuncSetAttribute(stamped_kernel, attribute, work.shared_bytes));
}

void launch_empty(const EmptyLaunch& work, cudaStream_t stream) {
  cudaLaunchAttribute attributes[2];
  unsigned attribute_count = 0;
  if (work.cooperative) {
    attributes[attribute_count].id = cudaLaunchAttributeCooperative;
    attributes[attribute_count++].val.cooperative = 1;
  }
  if (work.cluster_size > 1) {
    attributes[attribute_count].id = cudaLaunchAttributeClusterDimension;
    auto& cluster = attributes[attribute_count++].val.clusterDim;
    cluster.x = static_cast<unsigned>(work.cluster_size);
    cluster.y = 1;
    cluster.z = 1;
  }
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(work.cta_count));
  config.blockDim = dim3(static_cast<unsigned>(work.thread_count));
  config.dynamicSmemBytes = static_cast<std::size_t>(work.shared_bytes);
  config.stream = stream;
  config.attrs = attributes;
  config.numAttrs = attribute_count;
  if (work.stamps == nullptr)
    cuda_check(cudaLaunchKernelEx(&config, empty_kernel));
  else
    cuda_check(cudaLaunchKernelEx(&config, stamped_kernel, work.stamps));
}

}  // namespace epsim::kernels
