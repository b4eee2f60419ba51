#include "kernels/cuda_check.hpp"
#include "kernels/graph/place_rows.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 96;  // a thread for each rank
static_assert(kThreads >= kMostRanks);

// The own column: what all sources send here.
__device__ void count_received(const PlaceRows& work, const int* matrix) {
  int first = 0, kept = 0;
  for (int source = 0; source < work.rank_count; ++source) {
    int count = matrix[source * work.rank_count + work.rank];
    if (!is_possible_count(count, work.most_rows)) count = 0;
    const int here = rows_kept(first, count, work.capacity);
    work.receive_counts[source] = here;
    first += count;
    kept += here;
  }
  work.receive_counts[work.rank_count] = kept;
  if (first == kept) return;
  if (work.may_drop)
    atomicAdd(&work.status->dropped_rows, first - kept);
  else
    atomicOr(&work.status->error, kRowsExceedBuffer);
}

__global__ void __launch_bounds__(kThreads)
    place_rows_kernel(const __grid_constant__ PlaceRows work) {
  __shared__ int matrix[kMostRanks * kMostRanks];
  for (int i = static_cast<int>(threadIdx.x); i < work.rank_count * work.rank_count;
       i += kThreads) {
    const int count = work.matrix[i];
    if (!is_possible_count(count, work.most_rows)) atomicOr(&work.status->error, kCountOutOfRange);
    matrix[i] = count;
  }
  __syncthreads();
  const int target = static_cast<int>(threadIdx.x);
  if (target < work.rank_count) {
    const int first = rows_before(matrix, work.rank_count, work.most_rows, work.rank, target);
    const int count = matrix[work.rank * work.rank_count + target];
    const bool is_possible = is_possible_count(count, work.most_rows);
    work.receive_offsets[target] = first;
    work.send_counts[target] = is_possible ? rows_kept(first, count, work.capacity) : 0;
  }
  if (target == 0) count_received(work, matrix);
}

}  // namespace

void launch_place_rows(const PlaceRows& work, cudaStream_t stream) {
  place_rows_kernel<<<1, kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
