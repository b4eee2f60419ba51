#include "kernels/cuda_check.hpp"
#include "kernels/micro/stamped_rows.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kMostCtas = 1024;  // a few a SM; each strides over rows

__global__ void stamp_rows_kernel(StampedRows work) {
  const int vectors = work.row_bytes / 16;
  for (int row = static_cast<int>(blockIdx.x); row < work.row_count;
       row += static_cast<int>(gridDim.x)) {
    uint4* to = reinterpret_cast<uint4*>(work.rows + std::size_t(row) * work.pitch_bytes);
    for (int v = static_cast<int>(threadIdx.x); v < vectors; v += kThreads)
      to[v] = stamp(row, v, work.iteration);
  }
}

__global__ void count_wrong_stamps_kernel(StampedRows work, unsigned long long* wrong) {
  const int vectors = work.row_bytes / 16;
  unsigned long long mine = 0;
  for (int row = static_cast<int>(blockIdx.x); row < work.row_count;
       row += static_cast<int>(gridDim.x)) {
    const uint4* from =
        reinterpret_cast<const uint4*>(work.rows + std::size_t(row) * work.pitch_bytes);
    for (int v = static_cast<int>(threadIdx.x); v < vectors; v += kThreads)
      mine += is_stamp(from[v], row, v, work.iteration) ? 0 : 1;
  }
  if (mine > 0) atomicAdd(wrong, mine);
}

unsigned cta_count(int row_count) {
  return static_cast<unsigned>(row_count < kMostCtas ? row_count : kMostCtas);
}

}  // namespace

void launch_stamp_rows(const StampedRows& work, cudaStream_t stream) {
  if (work.row_count == 0) return;
  stamp_rows_kernel<<<cta_count(work.row_count), kThreads, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_count_wrong_stamps(const StampedRows& work,
                               unsigned long long* wrong,
                               cudaStream_t stream) {
  if (work.row_count == 0) return;
  count_wrong_stamps_kernel<<<cta_count(work.row_count), kThreads, 0, stream>>>(work, wrong);
  cuda_check_launch();
}

}  // namespace epsim::kernels
