#include "kernels/cuda_check.hpp"
#include "kernels/graph/plan_rows.cuh"

namespace epsim::kernels {
namespace {

constexpr int kWarps = 32;
constexpr int kThreads = 32 * kWarps;
constexpr unsigned kAllLanes = 0xffffffffU;
constexpr int kNowhere = -1;

// The rank that row `row` goes to, or kNowhere.
__device__ int target_of(const PlanRows& work, int row, int row_count) {
  if (row >= row_count) return kNowhere;
  const int key = work.keys[static_cast<long long>(row) * work.key_stride];
  if (key >= 0 && key < work.keys_per_rank * work.rank_count) return key / work.keys_per_rank;
  if (key != kMaskedExpert) atomicOr(&work.status->error, work.error);
  return kNowhere;
}

// Calls visit(row, target, rank among the rows of this warp with that target, their number) for 32
// rows of the warp's share at a time. All lanes take part in every step.
template <typename Visit>
__device__ void for_each_row(const PlanRows& work, int row_count, Visit visit) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int share = (row_count + kThreads - 1) / kThreads * 32;
  for (int first = warp * share; first < (warp + 1) * share && first < row_count; first += 32) {
    const int target = target_of(work, first + lane, row_count);
    const unsigned alike = __match_any_sync(kAllLanes, target);
    visit(first + lane, target, __popc(alike & ((1U << lane) - 1)), __popc(alike));
    __syncwarp();  // the next step reads what a lane of this one wrote
  }
}

__global__ void __launch_bounds__(kThreads)
    plan_rows_kernel(const __grid_constant__ PlanRows work) {
  // Rows of each target in the share of each warp; later the place where that warp goes on.
  __shared__ int tally[kWarps][kMostRanks];
  __shared__ int total[kMostRanks];
  const int warp = static_cast<int>(threadIdx.x) / 32;
  for (int i = static_cast<int>(threadIdx.x); i < kWarps * kMostRanks; i += kThreads)
    tally[i / kMostRanks][i % kMostRanks] = 0;
  __syncthreads();
  int row_count = work.row_count == nullptr ? work.most_rows : *work.row_count;
  row_count = max(0, min(row_count, work.most_rows));

  for_each_row(work, row_count, [&](int, int target, int before, int alike) {
    if (target != kNowhere && before == 0) tally[warp][target] += alike;
  });
  __syncthreads();

  const int target = static_cast<int>(threadIdx.x);
  if (target < work.rank_count) {
    int rows = 0;
    for (int w = 0; w < kWarps; ++w) rows += tally[w][target];
    total[target] = rows;
    work.counts[target] = rows;
  }
  __syncthreads();
  if (target < work.rank_count) {
    int place = 0;
    for (int before = 0; before < target; ++before) place += total[before];
    work.offsets[target] = place;
    if (target == work.rank_count - 1) work.offsets[work.rank_count] = place + total[target];
    for (int w = 0; w < kWarps; ++w) {
      const int rows = tally[w][target];
      tally[w][target] = place;
      place += rows;
    }
  }
  __syncthreads();

  for_each_row(work, row_count, [&](int row, int to, int before, int alike) {
    int place = 0;
    if (to != kNowhere) {
      place = tally[warp][to];
      work.order[place + before] = row;
    }
    __syncwarp();  // all lanes have read the place before one moves it on
    if (to != kNowhere && before == 0) tally[warp][to] = place + alike;
  });
}

}  // namespace

void launch_plan_rows(const PlanRows& work, cudaStream_t stream) {
  plan_rows_kernel<<<1, kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
