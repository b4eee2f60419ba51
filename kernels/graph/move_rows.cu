#include <algorithm>

#include "kernels/cuda_check.hpp"
#include "kernels/graph/move_rows.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;
// Enough CTAs of 256 threads to fill the largest GPUs; more rows than these are taken in turns.
constexpr int kMostCtas = 1024;

__device__ void copy_row(const uint4* from, uint4* to, int row_vectors) {
  for (int v = static_cast<int>(threadIdx.x); v < row_vectors; v += kThreads) to[v] = from[v];
}

// One CTA moves a row at a time.
__global__ void __launch_bounds__(kThreads)
    pack_rows_kernel(const __grid_constant__ PackRows work) {
  const int row_count = min(*work.row_count, work.most_rows);
  const std::size_t length = static_cast<std::size_t>(work.row_vectors);
  for (int place = static_cast<int>(blockIdx.x); place < row_count;
       place += static_cast<int>(gridDim.x)) {
    const int row = work.order[place];
    copy_row(work.rows + static_cast<std::size_t>(row / work.rows_per_source) * length,
             work.packed_rows + static_cast<std::size_t>(place) * length,
             work.row_vectors);
    if (threadIdx.x == 0)
      work.packed_labels[place] =
          work.labels != nullptr ? work.labels[row]
                                 : RowLabel{work.rank, row, work.experts[row], work.weights[row]};
  }
}

__global__ void __launch_bounds__(kThreads)
    unpack_rows_kernel(const __grid_constant__ UnpackRows work) {
  const int row_count = min(*work.row_count, work.most_rows);
  const std::size_t length = static_cast<std::size_t>(work.row_vectors);
  for (int place = static_cast<int>(blockIdx.x); place < row_count;
       place += static_cast<int>(gridDim.x)) {
    const int row = work.labels[place].source_row;
    if (row < 0 || row >= work.target_rows) {
      if (threadIdx.x == 0) atomicOr(&work.status->error, kLabelOutOfRange);
      continue;
    }
    copy_row(work.rows + static_cast<std::size_t>(place) * length,
             work.target + static_cast<std::size_t>(row) * length,
             work.row_vectors);
  }
}

unsigned ctas_for(int rows) {
  return static_cast<unsigned>(std::clamp(rows, 1, kMostCtas));
}

}  // namespace

void launch_pack_rows(const PackRows& work, cudaStream_t stream) {
  pack_rows_kernel<<<ctas_for(work.most_rows), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_unpack_rows(const UnpackRows& work, cudaStream_t stream) {
  unpack_rows_kernel<<<ctas_for(work.most_rows), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
