#include <cuda_fp8.h>

#include "kernels/cuda_check.hpp"
#include "kernels/micro/cast_and_scan.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kChannelsPerThread = 8;        // 16 bytes of BF16
constexpr int kGroupLanes = kCastGroup / 8;  // lanes that hold the channels of one scale
constexpr float kLargestFp8 = 448.0F;        // e4m3
constexpr float kSmallestPeak = 1e-4F;       // so that a row of zeros divides by something
constexpr int kScanUnroll = 8;

__device__ __forceinline__ float group_peak(const float (&channels)[kChannelsPerThread]) {
  float peak = kSmallestPeak;
#pragma unroll
  for (float channel : channels) peak = fmaxf(peak, fabsf(channel));
#pragma unroll
  for (int distance = kGroupLanes / 2; distance > 0; distance /= 2)
    peak = fmaxf(peak, __shfl_xor_sync(0xffffffffU, peak, distance));
  return peak;
}

__device__ __forceinline__ uint2 to_fp8(const float (&channels)[kChannelsPerThread], float factor) {
  unsigned packed[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < kChannelsPerThread; i += 2) {
    const float2 pair{channels[i] * factor, channels[i + 1] * factor};
    const unsigned two = __nv_cvt_float2_to_fp8x2(pair, __NV_SATFINITE, __NV_E4M3);
    packed[i / 4] |= two << (i % 4 * 8);
  }
  return {packed[0], packed[1]};
}

__device__ __forceinline__ void cast_row(const CastRows& work, int row) {
  const std::size_t hidden = static_cast<std::size_t>(work.hidden);
  const std::size_t first =
      static_cast<std::size_t>(row) * hidden + std::size_t{threadIdx.x} * kChannelsPerThread;
  const uint4 loaded = load_streaming(reinterpret_cast<const uint4*>(work.source + first));
  const unsigned words[4] = {loaded.x, loaded.y, loaded.z, loaded.w};
  float channels[kChannelsPerThread];
#pragma unroll
  for (int i = 0; i < 4; ++i) {  // BF16 is the upper half of a float
    channels[2 * i] = __uint_as_float(words[i] << 16);
    channels[2 * i + 1] = __uint_as_float(words[i] & 0xffff0000U);
  }
  const float peak = group_peak(channels);
  *reinterpret_cast<uint2*>(work.values + first) = to_fp8(channels, kLargestFp8 / peak);
  if (threadIdx.x % kGroupLanes == 0) work.scales[first / kCastGroup] = peak / kLargestFp8;
}

__global__ void __launch_bounds__(1024) cast_rows_kernel(const __grid_constant__ CastRows work) {
  std::int64_t* cycles =
      work.token_cycles + std::size_t{blockIdx.x} * static_cast<std::size_t>(work.tokens_per_cta);
  int row = static_cast<int>(blockIdx.x);
  for (int token = 0; token < work.tokens_per_cta; ++token) {
    __syncthreads();
    const std::uint64_t begin = cycle_counter();
    cast_row(work, row);
    __syncthreads();  // a dispatch's warps send the row after this barrier
    const std::uint64_t end = cycle_counter();
    if (threadIdx.x == 0) cycles[token] = static_cast<std::int64_t>(end - begin);
    row += work.cta_count;
    if (row >= work.row_count) row -= work.row_count;
  }
}

// From L2, as a kernel meets ids that others wrote; the L1 would serve all scans but the first.
__device__ __forceinline__ int load_past_l1(const int* from) {
  int value;
  asm volatile("ld.global.cg.s32 %0, [%1];" : "=r"(value) : "l"(from) : "memory");
  return value;
}

__device__ __forceinline__ int2 scan_once(const ScanChoices& work, int lane) {
  int2 count{0, 0};
  const auto look = [&](int choice) {
    count.x += choice == work.first_expert;
    count.y += choice == work.first_expert + 1;
  };
  int i = lane;
  for (; i + 32 * (kScanUnroll - 1) < work.choice_count; i += 32 * kScanUnroll) {
    int choices[kScanUnroll];
#pragma unroll
    for (int j = 0; j < kScanUnroll; ++j) choices[j] = load_past_l1(work.choices + i + 32 * j);
#pragma unroll
    for (int choice : choices) look(choice);
  }
  for (; i < work.choice_count; i += 32) look(load_past_l1(work.choices + i));
  __syncwarp();
  return {__reduce_add_sync(0xffffffffU, count.x), __reduce_add_sync(0xffffffffU, count.y)};
}

__global__ void __launch_bounds__(32)
    scan_choices_kernel(const __grid_constant__ ScanChoices work) {
  const int lane = static_cast<int>(threadIdx.x);
  for (int scan = 0; scan < work.scan_count; ++scan) {
    const std::uint64_t begin = cycle_counter();
    const int2 count = scan_once(work, lane);
    if (count.x < 0 || count.y < 0) return;  // never; but the clock must wait for the counts
    const std::uint64_t end = cycle_counter();
    if (lane != 0) continue;
    work.scan_cycles[scan] = static_cast<std::int64_t>(end - begin);
    work.counts[0] = count.x;
    work.counts[1] = count.y;
  }
}

}  // namespace

void launch_cast_rows(const CastRows& work, cudaStream_t stream) {
  cast_rows_kernel<<<work.cta_count, work.hidden / kChannelsPerThread, 0, stream>>>(work);
  cuda_check_launch();
}

void launch_scan_choices(const ScanChoices& work, cudaStream_t stream) {
  scan_choices_kernel<<<1, 32, 0, stream>>>(work);
  cuda_check_launch();
}

}  // namespace epsim::kernels
