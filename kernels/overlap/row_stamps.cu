#include "kernels/cuda_check.hpp"
#include "kernels/overlap/row_stamp.hpp"
#include "kernels/overlap/row_stamps.cuh"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kCtas = 1024;  // several for each SM of any GPU we know: a plain streaming pass

__global__ void stamp_rows_kernel(RowStamps stamps) {
  const std::int64_t count = stamps.rank_count * stamps.pair_stride;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += std::int64_t{kCtas} * kThreads) {
    const int target = static_cast<int>(i / stamps.pair_stride);
    const std::int64_t index = i % stamps.pair_stride;
    if (index >= stamps.vectors_per_pair) continue;
    const RowStamp stamp = row_stamp(stamps.rank, target, index);
    stamps.rows[i] = {stamp.ends, stamp.low, stamp.high, stamp.mixed};
  }
}

__global__ void count_wrong_rows_kernel(RowStamps stamps, unsigned long long* wrong) {
  constexpr unsigned kPoison = 0x01010101U * kPoisonByte;
  const std::int64_t count = stamps.rank_count * stamps.pair_stride;
  unsigned long long found = 0;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += std::int64_t{kCtas} * kThreads) {
    const int source = static_cast<int>(i / stamps.pair_stride);
    const std::int64_t index = i % stamps.pair_stride;
    const RowStamp expected = index < stamps.vectors_per_pair
                                  ? row_stamp(source, stamps.rank, index)
                                  : RowStamp{kPoison, kPoison, kPoison, kPoison};
    const uint4 row = stamps.rows[i];
    found += RowStamp{row.x, row.y, row.z, row.w} != expected;
  }
  if (found != 0) atomicAdd(wrong, found);
}

}  // namespace

void launch_stamp_rows(const RowStamps& stamps, cudaStream_t stream) {
  stamp_rows_kernel<<<kCtas, kThreads, 0, stream>>>(stamps);
  cuda_check_launch();
}

void launch_count_wrong_rows(const RowStamps& stamps,
                             unsigned long long* wrong,
                             cudaStream_t stream) {
  count_wrong_rows_kernel<<<kCtas, kThreads, 0, stream>>>(stamps, wrong);
  cuda_check_launch();
}

}  // namespace epsim::kernels
