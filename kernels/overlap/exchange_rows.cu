#include "kernels/cuda_check.hpp"
#include "kernels/overlap/copy_vectors.cuh"
#include "kernels/overlap/exchange_rows.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

// Where CTA `cta`'s slice of a part begins: at whole lines of 512 bytes, so that warps do not share
// them.
__device__ std::int64_t slice_begin(const ExchangeRows& work, int cta) {
  if (cta == work.cta_count) return work.vectors_per_pair;
  return work.vectors_per_pair * cta / work.cta_count / 32 * 32;
}

__device__ void exchange(const ExchangeRows& work) {
  const int cta = static_cast<int>(blockIdx.x);
  const std::int64_t first = slice_begin(work, cta);
  const std::int64_t last = slice_begin(work, cta + 1);
  // Rank r begins with r + 1: at any time the ranks push along a permutation, and none is crowded.
  // The own part comes last.
  for (int step = 1; step <= work.rank_count; ++step) {
    const int target = (work.rank + step) % work.rank_count;
    copy_vectors(work.send + target * work.pair_stride,
                 work.receive.at[target] + work.rank * work.pair_stride,
                 first,
                 last);
  }

  // One count for all targets: a count for each would drain the SM's stores once a target.
  __shared__ bool finishes_last;
  __syncthreads();
  if (threadIdx.x == 0) {
    const int before = add_release_gpu(work.finished, 1);
    finishes_last = before - work.finished_before == work.cta_count - 1;
    if (finishes_last) {
      // Acquires what the counting CTAs released and releases it to the system: this thread has
      // observed all writers. One fence, then plain stores, so that no flag waits for another.
      fence_acq_rel_sys();
      for (int peer = 0; peer < work.rank_count; ++peer)
        store_relaxed_sys(work.flags.at[peer] + work.rank * kExchangeFlagInts, work.generation);
    }
  }
  __syncthreads();
  if (!finishes_last) return;
  for (int source = static_cast<int>(threadIdx.x); source < work.rank_count;
       source += kCopyThreads) {
    const int* flag = work.flags.at[work.rank] + source * kExchangeFlagInts;
    spin_until([&] { return load_acquire_sys(flag) >= work.generation; });
  }
}

__global__ void __launch_bounds__(kCopyThreads, 1)
    exchange_rows_kernel(const __grid_constant__ ExchangeRows work) {
  exchange(work);
}

__global__ void __launch_bounds__(kCopyThreads, 1)
    in_line_exchange_kernel(const __grid_constant__ ExchangeRows work) {
  exchange(work);
}

}  // namespace

void launch_exchange_rows(const ExchangeRows& work, cudaStream_t stream) {
  const auto ctas = static_cast<unsigned>(work.cta_count);
  if (work.in_line)
    in_line_exchange_kernel<<<ctas, kCopyThreads, 0, stream>>>(work);
  else
    exchange_rows_kernel<<<ctas, kCopyThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
