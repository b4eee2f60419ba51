#include "kernels/cuda_check.hpp"
#include "kernels/overlap/crowded_gpu.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

__device__ __forceinline__ unsigned current_sm() {
  unsigned sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  return sm;
}

// One thread waits; the others stand at the barrier behind it, as in a kernel that polls a flag.
__device__ __forceinline__ void hold(const Holders& work) {
  if (threadIdx.x == 0) {
    if (work.sms != nullptr) work.sms[blockIdx.x] = static_cast<int>(current_sm());
    atomicAdd_system(&work.words->started, 1);
    const std::uint64_t begin = global_timer();
    while (load_acquire_sys(&work.words->stop) < work.generation)
      if (global_timer() - begin > kHolderLimitNs) {
        atomicAdd_system(&work.words->timed_out, 1);
        break;
      }
  }
  __syncthreads();
}

__global__ void __launch_bounds__(kHolderThreads, 1) sm_holder_kernel(Holders work) {
  hold(work);
}

// Values that live through the wait take what registers there are: 1024 threads of 64 are an SM's.
constexpr int kKeptValues = 48;

__global__ void __launch_bounds__(kWholeSmThreads, 1) whole_sm_holder_kernel(Holders work) {
  int kept[kKeptValues];
#pragma unroll
  for (int i = 0; i < kKeptValues; ++i) kept[i] = load_acquire_sys(&work.words->stop);
  hold(work);
  // Begins with a word read behind the wait, so that nothing can be worked out before it.
  auto mixed = static_cast<unsigned>(load_acquire_sys(&work.words->stop));
#pragma unroll
  for (int i = 0; i < kKeptValues; ++i) mixed = (mixed ^ static_cast<unsigned>(kept[i])) * 31;
  if (mixed == 1) work.words->kept = mixed;
}

__global__ void await_holders_kernel(const HolderWords* words, int started) {
  spin_until([&] { return load_acquire_sys(&words->started) >= started; });
}

__global__ void stop_holders_kernel(HolderWords* words, int generation) {
  store_release_sys(&words->stop, generation);
}

__global__ void __launch_bounds__(kNewcomerThreads, 1) newcomer_kernel(Newcomer work) {
  if (threadIdx.x == 0) {
    const std::uint64_t first = global_timer();
    work.stamps[blockIdx.x] = {first, current_sm()};
    while (global_timer() - first < kNewcomerNs) {
    }
  }
  __syncthreads();
}

// A launch of `cta_count` CTAs in clusters; its attribute lives as long as it does.
struct ClusterLaunch {
  cudaLaunchAttribute attribute{};
  cudaLaunchConfig_t config{};

  ClusterLaunch(
      int cta_count, int threads, int shared_bytes, int cluster_size, cudaStream_t stream) {
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim.x = static_cast<unsigned>(cluster_size);
    attribute.val.clusterDim.y = 1;
    attribute.val.clusterDim.z = 1;
    config.gridDim = dim3(static_cast<unsigned>(cta_count));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = cluster_size > 1 ? 1 : 0;
  }
  ClusterLaunch(const ClusterLaunch&) = delete;
  ClusterLaunch& operator=(const ClusterLaunch&) = delete;
};

}  // namespace

void prepare_holders(int shared_bytes, bool most_shared) {
  cuda_check(cudaFuncSetAttribute(
      sm_holder_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  const int carveout = most_shared ? cudaSharedmemCarveoutMaxShared : cudaSharedmemCarveoutDefault;
  cuda_check(cudaFuncSetAttribute(
      sm_holder_kernel, cudaFuncAttributePreferredSharedMemoryCarveout, carveout));
}

void prepare_newcomer() {
  cuda_check(cudaFuncSetAttribute(
      newcomer_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kNewcomerSharedBytes));
}

void launch_holders(const Holders& work, cudaStream_t stream) {
  const int threads = work.whole_sms ? kWholeSmThreads : kHolderThreads;
  const ClusterLaunch launch(work.cta_count, threads, work.shared_bytes, work.cluster_size, stream);
  if (work.whole_sms)
    cuda_check(cudaLaunchKernelEx(&launch.config, whole_sm_holder_kernel, work));
  else
    cuda_check(cudaLaunchKernelEx(&launch.config, sm_holder_kernel, work));
}

void launch_await_holders(const HolderWords* words, int started, cudaStream_t stream) {
  await_holders_kernel<<<1, 1, 0, stream>>>(words, started);
  cuda_check_launch();
}

void launch_stop_holders(HolderWords* words, int generation, cudaStream_t stream) {
  stop_holders_kernel<<<1, 1, 0, stream>>>(words, generation);
  cuda_check_launch();
}

bool can_launch_newcomer(const Newcomer& work) {
  const ClusterLaunch launch(
      work.cta_count, kNewcomerThreads, kNewcomerSharedBytes, work.cluster_size, nullptr);
  int clusters = 0;
  if (cudaOccupancyMaxActiveClusters(&clusters, newcomer_kernel, &launch.config) != cudaSuccess) {
    (void)cudaGetLastError();  // a size that this GPU does not know
    return false;
  }
  return clusters > 0;
}

void launch_newcomer(const Newcomer& work, cudaStream_t stream) {
  const ClusterLaunch launch(
      work.cta_count, kNewcomerThreads, kNewcomerSharedBytes, work.cluster_size, stream);
  cuda_check(cudaLaunchKernelEx(&launch.config, newcomer_kernel, work));
}

}  // namespace epsim::kernels
