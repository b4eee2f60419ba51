#include "kernels/low_latency/stamp_oracle.cuh"

#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include "kernels/cuda_check.hpp"

namespace epsim::kernels {
namespace {

constexpr int kThreads = 256;
constexpr std::uint32_t kPoisonWord = 0xffffffffU;

__device__ float float_of(std::uint16_t bf16_bits) {
  return __uint_as_float(static_cast<std::uint32_t>(bf16_bits) << 16);
}
__device__ void count(int* faults, StampFault fault, int times = 1) {
  if (times != 0) atomicAdd(faults + static_cast<int>(fault), times);
}

__global__ void stamp_tokens_kernel(const __grid_constant__ LowLatencyShape shape,
                                    std::uint16_t* tokens) {
  const int token = static_cast<int>(blockIdx.x);
  for (int c = static_cast<int>(threadIdx.x); c < shape.hidden; c += kThreads)
    tokens[std::size_t(token) * shape.hidden + c] = token_stamp(shape.rank, token, c);
}

// The pair that a block checks.
struct Pair {
  int local, source, expert;
  std::size_t first_row;  // of the local expert
};

// Whether the rows of all sources of an expert stand one after the other; thread q asks for
// source q.
__device__ void check_ranges(const DispatchCheck& check, const Pair& pair) {
  const int2* ranges = check.input.source_range + pair.local * check.shape.rank_count;
  const int q = static_cast<int>(threadIdx.x);
  if (pair.source != 0 || q >= check.shape.rank_count || ranges[q].x == 0) return;
  int before = 0;
  for (int other = 0; other < check.shape.rank_count; ++other)
    if (ranges[other].y < ranges[q].y) before += ranges[other].x;
  if (before != ranges[q].y) count(check.faults, StampFault::row_range);
}

// Rows behind all of an expert's: block `source` checks every R-th of them.
template <bool kFp8>
__device__ void check_poison(const DispatchCheck& check, const Pair& pair) {
  const LowLatencyShape& s = check.shape;
  const std::size_t row_bytes = std::size_t(kFp8 ? 1 : 2) * s.hidden;
  const std::size_t rows = std::size_t(s.rank_count) * s.most_tokens;
  std::size_t used = 0;
  for (int q = 0; q < s.rank_count; ++q)
    used += std::size_t(check.input.source_range[pair.local * s.rank_count + q].x);
  int touched = 0;
  for (std::size_t row = used + pair.source; row < rows; row += s.rank_count) {
    const auto* words =
        reinterpret_cast<const uint4*>(check.input.rows + (pair.first_row + row) * row_bytes);
    for (std::size_t i = threadIdx.x; i < row_bytes / 16; i += kThreads) {
      const uint4 w = words[i];
      touched += (w.x & w.y & w.z & w.w) != kPoisonWord ? 1 : 0;
    }
    if (threadIdx.x == 0) touched += check.input.source_token[pair.first_row + row] != -1 ? 1 : 0;
    if constexpr (kFp8) {
      const int groups = s.hidden / kScaleGroup;
      for (int g = static_cast<int>(threadIdx.x); g < groups; g += kThreads)
        touched += __float_as_uint(
                       check.input.scales[(std::size_t(pair.local) * groups + g) * rows + row]) !=
                           kPoisonWord
                       ? 1
                       : 0;
    }
  }
  count(check.faults, StampFault::poison, touched);
}

// One warp compares a row with its stamps, 128 channels at a time, four a lane. Returns how many of
// this lane's elements and scales differ.
template <bool kFp8>
__device__ int wrong_elements(const DispatchCheck& check,
                              const Pair& pair,
                              std::size_t row,
                              int token) {
  const LowLatencyShape& s = check.shape;
  const std::size_t rows = std::size_t(s.rank_count) * s.most_tokens;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int groups = s.hidden / kScaleGroup;
  const std::size_t first = (pair.first_row + row) * s.hidden;
  int wrong = 0;
  for (int g = 0; g < groups; ++g) {
    const int channel = g * kScaleGroup + lane * 4;
    float greatest = 1e-4F;
    for (int j = 0; j < 4; ++j)
      greatest = fmaxf(greatest, fabsf(float_of(token_stamp(pair.source, token, channel + j))));
    for (int distance = 16; distance > 0; distance /= 2)
      greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffU, greatest, distance));
    for (int j = 0; j < 4; ++j) {
      const std::uint16_t sent = token_stamp(pair.source, token, channel + j);
      if constexpr (kFp8) {
        const auto code =
            __nv_cvt_float_to_fp8(float_of(sent) * (448.0F / greatest), __NV_SATFINITE, __NV_E4M3);
        wrong += check.input.rows[first + channel + j] != code ? 1 : 0;
      } else {
        wrong +=
            reinterpret_cast<const std::uint16_t*>(check.input.rows)[first + channel + j] != sent
                ? 1
                : 0;
      }
      check.expert_output[first + channel + j] =
          expert_stamp(pair.expert, pair.source, token, channel + j);
    }
    if (kFp8 && lane == 0)
      wrong += check.input.scales[(std::size_t(pair.local) * groups + g) * rows + row] !=
                       greatest / 448.0F
                   ? 1
                   : 0;
  }
  return wrong;
}

// Ids of the source that name the expert; the same in all threads. Has the block's barriers.
__device__ int chosen_rows(const DispatchCheck& check, const Pair& pair, int* shared_sum) {
  const LowLatencyShape& s = check.shape;
  const int choices = s.token_count * s.top_k;
  const std::int64_t* ids = check.expert_ids + std::size_t(pair.source) * choices;
  if (threadIdx.x == 0) *shared_sum = 0;
  __syncthreads();
  int mine = 0;
  for (int i = static_cast<int>(threadIdx.x); i < choices; i += kThreads)
    mine += ids[i] == pair.expert ? 1 : 0;
  if (mine != 0) atomicAdd(shared_sum, mine);
  __syncthreads();
  return *shared_sum;
}

// Whether a token chose the expert, and was not seen before; the same in all lanes.
__device__ bool is_due(const DispatchCheck& check,
                       const Pair& pair,
                       int token,
                       std::uint32_t* seen) {
  const LowLatencyShape& s = check.shape;
  if (token < 0 || token >= s.token_count) return false;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const std::int64_t* ids =
      check.expert_ids + (std::size_t(pair.source) * s.token_count + token) * s.top_k;
  const bool chose = lane < s.top_k && ids[lane] == pair.expert;
  bool twice = false;
  if (lane == 0) twice = (atomicOr(seen + token / 32, 1U << token % 32) >> token % 32 & 1U) != 0;
  return __any_sync(0xffffffffU, chose) && !__any_sync(0xffffffffU, twice);
}

// Block (local expert, source).
template <bool kFp8>
__global__ void check_dispatch_kernel(const __grid_constant__ DispatchCheck check) {
  extern __shared__ std::uint32_t seen[];  // a bit for each token of the source
  __shared__ int shared_sum;
  const LowLatencyShape& s = check.shape;
  const int local = static_cast<int>(blockIdx.x) / s.rank_count;
  const Pair pair = {.local = local,
                     .source = static_cast<int>(blockIdx.x) % s.rank_count,
                     .expert = s.rank * experts_per_rank(s) + local,
                     .first_row = std::size_t(local) * s.rank_count * s.most_tokens};
  for (int i = static_cast<int>(threadIdx.x); i < (s.token_count + 31) / 32; i += kThreads)
    seen[i] = 0;
  const int2 range = check.input.source_range[local * s.rank_count + pair.source];
  const int due = chosen_rows(check, pair, &shared_sum);
  if (range.x != due || range.y < 0 || range.y + due > s.rank_count * s.most_tokens) {
    if (threadIdx.x == 0) count(check.faults, StampFault::row_count);
    return;  // the range cannot be trusted
  }
  check_ranges(check, pair);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int i = static_cast<int>(threadIdx.x) / 32; i < due; i += kThreads / 32) {
    const std::size_t row = std::size_t(range.y + i);
    const int token = check.input.source_token[pair.first_row + row];
    if (is_due(check, pair, token, seen))
      count(check.faults, StampFault::row_element, wrong_elements<kFp8>(check, pair, row, token));
    else if (lane == 0)
      count(check.faults, StampFault::source_token);
  }
  check_poison<kFp8>(check, pair);
}

// Block t checks token t; the block behind the last token checks the guard row.
__global__ void check_combine_kernel(const __grid_constant__ CombineCheck check) {
  const LowLatencyShape& s = check.shape;
  const int token = static_cast<int>(blockIdx.x);
  const std::uint16_t* row = check.output + std::size_t(token) * s.hidden;
  int wrong = 0;
  for (int c = static_cast<int>(threadIdx.x); c < s.hidden; c += kThreads) {
    if (token == s.token_count) {
      wrong += row[c] != 0xffffU ? 1 : 0;
      continue;
    }
    float sum = 0.0F;
    for (int k = 0; k < s.top_k; ++k) {
      const std::int64_t expert = check.expert_ids[std::size_t(token) * s.top_k + k];
      if (expert < 0) continue;
      const float value = float_of(expert_stamp(static_cast<int>(expert), s.rank, token, c));
      sum = fmaf(value, check.weights[std::size_t(token) * s.top_k + k], sum);
    }
    // Room for one rounding to BF16 and for sums in another order. NaN fails too.
    const bool right = fabsf(float_of(row[c]) - sum) <= fabsf(sum) * 0x1p-8F + 1e-5F;
    wrong += right ? 0 : 1;
  }
  count(check.faults,
        token == s.token_count ? StampFault::poison : StampFault::output_element,
        wrong);
}

}  // namespace

void launch_stamp_tokens(const LowLatencyShape& shape, std::uint16_t* tokens, cudaStream_t stream) {
  if (shape.token_count == 0) return;
  stamp_tokens_kernel<<<static_cast<unsigned>(shape.token_count), kThreads, 0, stream>>>(shape,
                                                                                         tokens);
  cuda_check_launch();
}

void launch_check_dispatch(const DispatchCheck& check, RowFormat format, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(check.shape.expert_count);  // E_l * R
  const std::size_t seen_bytes = std::size_t(check.shape.token_count + 31) / 32 * 4;
  if (format == RowFormat::fp8)
    check_dispatch_kernel<true><<<blocks, kThreads, seen_bytes, stream>>>(check);
  else
    check_dispatch_kernel<false><<<blocks, kThreads, seen_bytes, stream>>>(check);
  cuda_check_launch();
}

void launch_check_combine(const CombineCheck& check, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(check.shape.token_count + 1);
  check_combine_kernel<<<blocks, kThreads, 0, stream>>>(check);
  cuda_check_launch();
}

}  // namespace epsim::kernels
