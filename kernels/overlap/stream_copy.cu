#include "kernels/cuda_check.hpp"
#include "kernels/overlap/copy_vectors.cuh"
#include "kernels/overlap/stream_copy.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

__global__ void __launch_bounds__(kCopyThreads, 1) stream_copy_kernel(StreamCopy work) {
  const bool leads = threadIdx.x == 0;
  if (leads) atomicAdd_system(&work.words->started, 1);
  const std::int64_t chunks = work.vectors / kCopyChunkVectors;
  std::int64_t done = 0;
  bool stopped = false;
  while (!stopped && done < work.most_chunks) {
    // Asked for before the copy and looked at behind it, so that the answer's way costs nothing.
    const int stop = leads ? load_relaxed_sys(&work.words->stop) : 0;
    const std::int64_t chunk = (blockIdx.x + done * gridDim.x) % chunks;
    copy_vectors(
        work.source, work.target, chunk * kCopyChunkVectors, (chunk + 1) * kCopyChunkVectors);
    ++done;
    stopped = __syncthreads_or(stop >= work.generation) != 0;
  }
  if (leads)
    atomicAdd(&work.words->moved,
              static_cast<unsigned long long>(done * kCopyChunkVectors * std::int64_t{16}));
}

__global__ void await_copy_kernel(const CopyWords* words, int started) {
  spin_until([&] { return load_acquire_sys(&words->started) >= started; });
}

__global__ void stop_copy_kernel(CopyWords* words, int generation) {
  store_release_sys(&words->stop, generation);
}

}  // namespace

void launch_stream_copy(const StreamCopy& work, cudaStream_t stream) {
  stream_copy_kernel<<<static_cast<unsigned>(work.cta_count), kCopyThreads, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_await_copy(const CopyWords* words, int started, cudaStream_t stream) {
  await_copy_kernel<<<1, 1, 0, stream>>>(words, started);
  cuda_check_launch();
}

void launch_stop_copy(CopyWords* words, int generation, cudaStream_t stream) {
  stop_copy_kernel<<<1, 1, 0, stream>>>(words, generation);
  cuda_check_launch();
}

}  // namespace epsim::kernels
