#include "kernels/low_latency/dispatch.cuh"

#include <string>

#include <cooperative_groups.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>

#include "kernels/cuda_check.hpp"
#include "kernels/ptx.cuh"

namespace epsim::kernels {
namespace {

constexpr int kMostGroups = 8;         // of a CTA; each takes one of 16 named barriers
constexpr int kMostWordRows = 0xfffe;  // a count word keeps 16 bits for rows + 1
constexpr int kCastBarrier = 1;
constexpr int kFirstGroupBarrier = 2;
constexpr float kLargestE4m3 = 448.0F;
constexpr float kSmallestMagnitude = 1e-4F;  // keeps the scale of a row of zeros finite

template <bool kFp8, int kHidden>
struct Message {
  static constexpr int kBytes = dispatch_message_bytes(kHidden, kFp8);
  static constexpr int kPayloadBytes = kFp8 ? kHidden : 2 * kHidden;
};

// What a thread is, as sender and as receiver.
struct Place {
  int lane, warp, group, warp_of_group;
  int pair;  // expert that its group serves; as receiver, source * E_l + local expert
};
__device__ Place place_of_thread(const LowLatencyGrid& grid) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int group = warp / grid.warps_per_group;
  return {.lane = static_cast<int>(threadIdx.x) % 32,
          .warp = warp,
          .group = group,
          .warp_of_group = warp % grid.warps_per_group,
          .pair = static_cast<int>(blockIdx.x) * grid.groups_per_cta + group};
}

__device__ int* slots_of(const LowLatencyDispatch& work) {
  return work.counters;
}
__device__ int* copies_of(const LowLatencyDispatch& work) {
  return work.counters + work.shape.expert_count;
}
__device__ int* placed_of(const LowLatencyDispatch& work) {
  return work.counters + 2 * work.shape.expert_count;
}

// Not the non-coherent path: these bytes were written while this kernel ran.
__device__ __forceinline__ uint4 load_fresh(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}

// One warp copies `count` vectors. All loads of a trip are under way before its first store, the
// incomplete last trip included.
template <int kUnroll>
__device__ __forceinline__ void copy_by_warp(uint4* to, const uint4* from, int count, int lane) {
  constexpr int kTrip = 32 * kUnroll;
  uint4 held[kUnroll];
  const int whole = count / kTrip * kTrip;
#pragma unroll 1
  for (int i = lane; i < whole; i += kTrip) {
#pragma unroll
    for (int j = 0; j < kUnroll; ++j) held[j] = load_fresh(from + i + 32 * j);
#pragma unroll
    for (int j = 0; j < kUnroll; ++j) store_streaming(to + i + 32 * j, held[j]);
  }
  if (whole == count) return;
  const int first = whole + lane;
#pragma unroll
  for (int j = 0; j < kUnroll; ++j)
    if (first + 32 * j < count) held[j] = load_fresh(from + first + 32 * j);
#pragma unroll
  for (int j = 0; j < kUnroll; ++j)
    if (first + 32 * j < count) store_streaming(to + first + 32 * j, held[j]);
}

// Eight channels in FP8. 16 neighbouring lanes hold the 128 channels of a scale.
__device__ __forceinline__ uint2 cast_vector(const uint4& vector, float* scale, bool writes_scale) {
  const auto* pairs = reinterpret_cast<const __nv_bfloat162*>(&vector);
  float2 values[4];
  float greatest = kSmallestMagnitude;
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    values[j] = __bfloat1622float2(pairs[j]);
    greatest = fmaxf(greatest, fmaxf(fabsf(values[j].x), fabsf(values[j].y)));
  }
#pragma unroll
  for (int distance = 8; distance > 0; distance /= 2)
    greatest = fmaxf(greatest, __shfl_xor_sync(0xffffffffU, greatest, distance));
  if (writes_scale) *scale = greatest / kLargestE4m3;
  const float factor = kLargestE4m3 / greatest;
  std::uint32_t codes[4];
#pragma unroll
  for (int j = 0; j < 4; ++j)
    codes[j] = __nv_cvt_float2_to_fp8x2(
        make_float2(values[j].x * factor, values[j].y * factor), __NV_SATFINITE, __NV_E4M3);
  return make_uint2(codes[0] | codes[1] << 16, codes[2] | codes[3] << 16);
}

// The first `threads` threads of the CTA write the token's message to local memory.
template <bool kFp8, int kHidden>
__device__ void stage_token(const LowLatencyDispatch& work, int token, int threads) {
  using Layout = Message<kFp8, kHidden>;
  constexpr int kVectors = kHidden / 8;
  const auto* row = reinterpret_cast<const uint4*>(work.tokens) + std::size_t(token) * kVectors;
  std::uint8_t* message = work.staging + std::size_t(token) * Layout::kBytes;
  std::uint8_t* payload = message + kMessageHeaderBytes;
  auto* scales = reinterpret_cast<float*>(payload + Layout::kPayloadBytes);
  // Whole headers, so that no byte that travels was never written.
  if (threadIdx.x == 0) *reinterpret_cast<uint4*>(message) = make_uint4(token, 0, 0, 0);
  // Warps stay whole, as the shuffles need: kVectors and `threads` are multiples of 32.
  for (int i = static_cast<int>(threadIdx.x); i < kVectors; i += threads) {
    const uint4 vector = __ldg(row + i);
    if constexpr (kFp8)
      reinterpret_cast<uint2*>(payload)[i] = cast_vector(vector, scales + i / 16, i % 16 == 0);
    else
      reinterpret_cast<uint4*>(payload)[i] = vector;
  }
}

// One warp copies a staged token to the expert's owner.
template <bool kFp8, int kHidden>
__device__ void send_row(const LowLatencyDispatch& work, int token, int expert, int lane) {
  using Layout = Message<kFp8, kHidden>;
  const LowLatencyShape& s = work.shape;
  int slot = lane == 0 ? atomicAdd(slots_of(work) + expert, 1) : 0;
  slot = __shfl_sync(0xffffffffU, slot, 0);
  const int local = expert % experts_per_rank(s);
  // A gate chooses an expert at most once a token, so slots end at T <= T_max. Ids that repeat an
  // expert within a token can ask for more: those rows are left out here and from the count.
  if (slot < s.most_tokens) {
    const std::size_t place =
        std::size_t(local * s.rank_count + s.rank) * s.most_tokens + std::size_t(slot);
    copy_by_warp<8>(
        reinterpret_cast<uint4*>(work.receive.at[expert / experts_per_rank(s)] +
                                 place * Layout::kBytes),
        reinterpret_cast<const uint4*>(work.staging + std::size_t(token) * Layout::kBytes),
        Layout::kBytes / 16,
        lane);
  } else if (lane == 0) {
    atomicOr(work.error, kTooManyRows);
  }
  // The release covers the other lanes' stores: the warp's barrier orders them before it.
  __syncwarp();
  if (lane == 0) add_release_gpu(copies_of(work) + expert, 1);
}

template <bool kFp8, int kHidden>
__device__ void send_tokens(const LowLatencyDispatch& work, const Place& place, int threads) {
  const LowLatencyShape& s = work.shape;
  for (int token = static_cast<int>(blockIdx.x); token < s.token_count;
       token += static_cast<int>(gridDim.x)) {
    // Read before the cast, which hides its latency. 64 bits are compared: a huge id is no expert.
    const std::int64_t expert =
        place.warp < s.top_k ? __ldg(work.expert_ids + std::size_t(token) * s.top_k + place.warp)
                             : -1;
    stage_token<kFp8, kHidden>(work, token, threads);
    named_barrier(kCastBarrier, threads);
    if (expert >= 0 && expert < s.expert_count)
      send_row<kFp8, kHidden>(work, token, static_cast<int>(expert), place.lane);
    else if (expert != -1 && place.lane == 0)
      atomicOr(work.error, kExpertOutOfRange);
  }
}

// One warp counts what this rank sends to `group_count` experts from `first_expert` on.
__device__ void count_rows(
    const LowLatencyDispatch& work, int first_expert, int group_count, int lane, int* row_count) {
  constexpr int kAtOnce = 4;  // covers 4 experts an SM in one pass over the ids
  const int choices = work.shape.token_count * work.shape.top_k;
  for (int first = 0; first < group_count; first += kAtOnce) {
    int count[kAtOnce] = {};
#pragma unroll 8
    for (int i = lane; i < choices; i += 32) {
      const std::int64_t position = __ldg(work.expert_ids + i) - (first_expert + first);
#pragma unroll
      for (int g = 0; g < kAtOnce; ++g) count[g] += position == g ? 1 : 0;
    }
#pragma unroll
    for (int g = 0; g < kAtOnce; ++g) {
      const int sum = __reduce_add_sync(0xffffffffU, count[g]);
      if (lane == 0 && first + g < group_count) row_count[first + g] = sum;
    }
  }
}

// Why the counters may be reset here: each copy to an expert takes its slot before it adds itself
// to the copies, and exactly `rows` choices name the expert. So once the copies acquired are
// `rows`, nobody of this call touches its slots and copies again, and the next call is
// stream-ordered. `placed` of a local expert is used by receivers only: those of the call before
// ended before this kernel began, and those of this call begin behind the grid sync or in the next
// kernel.
__device__ void publish_count(const LowLatencyDispatch& work, int expert, int rows) {
  const LowLatencyShape& s = work.shape;
  const int owner = expert / experts_per_rank(s);
  const int local = expert % experts_per_rank(s);
  spin_until([&] { return load_acquire_gpu(copies_of(work) + expert) == rows; });
  store_release_sys(work.counts.at[owner] + local * s.rank_count + s.rank,
                    (work.generation << 16) | (min(rows, s.most_tokens) + 1));
  slots_of(work)[expert] = 0;
  copies_of(work)[expert] = 0;
  if (owner == 0) placed_of(work)[local] = 0;
}

// Rows of one pair once its source has published them; returns how many, and where they go.
__device__ int2 await_rows(const LowLatencyDispatch& work, int source, int local) {
  const LowLatencyShape& s = work.shape;
  const int* count = work.counts.at[s.rank] + local * s.rank_count + source;
  int word = 0;
  spin_until([&] {
    word = load_acquire_sys(count);
    return word >> 16 == work.generation;
  });
  const int rows = (word & 0xffff) - 1;
  const int2 range = make_int2(rows, atomicAdd(placed_of(work) + local, rows));
  work.output.source_range[local * s.rank_count + source] = range;
  return range;
}

template <bool kFp8, int kHidden>
__device__ void receive_rows(const LowLatencyDispatch& work,
                             const LowLatencyGrid& grid,
                             const Place& place,
                             int2* shared_range) {
  using Layout = Message<kFp8, kHidden>;
  const LowLatencyShape& s = work.shape;
  if (place.pair >= s.expert_count) return;
  const int source = place.pair / experts_per_rank(s);
  const int local = place.pair % experts_per_rank(s);
  if (place.warp_of_group == 1 && place.lane == 0)
    shared_range[place.group] = await_rows(work, source, local);
  // Orders the poller's acquire before the loads of all warps of the group.
  named_barrier(kFirstGroupBarrier + place.group, grid.warps_per_group * 32);
  const int2 range = shared_range[place.group];

  const std::size_t expert_rows = std::size_t(s.rank_count) * s.most_tokens;
  const std::uint8_t* messages =
      work.receive.at[s.rank] +
      std::size_t(local * s.rank_count + source) * s.most_tokens * std::size_t(Layout::kBytes);
  for (int i = place.warp_of_group; i < range.x; i += grid.warps_per_group) {
    const std::uint8_t* message = messages + std::size_t(i) * Layout::kBytes;
    const std::size_t row = std::size_t(range.y + i);
    // Read ahead of the copy and stored behind it, so that no load of the copy waits for it.
    const int token = place.lane == 0 ? *reinterpret_cast<const int*>(message) : 0;
    copy_by_warp<7>(reinterpret_cast<uint4*>(work.output.rows +
                                             (local * expert_rows + row) * Layout::kPayloadBytes),
                    reinterpret_cast<const uint4*>(message + kMessageHeaderBytes),
                    Layout::kPayloadBytes / 16,
                    place.lane);
    if (place.lane == 0) work.output.source_token[local * expert_rows + row] = token;
    if constexpr (kFp8) {
      const auto* scales =
          reinterpret_cast<const float*>(message + kMessageHeaderBytes + Layout::kPayloadBytes);
      constexpr int kScales = kHidden / kScaleGroup;
      float* columns = work.output.scales + std::size_t(local) * kScales * expert_rows;
#pragma unroll
      for (int g = place.lane; g < kScales; g += 32)
        columns[std::size_t(g) * expert_rows + row] = scales[g];
    }
  }
}

template <bool kFp8, int kHidden>
__global__ void __launch_bounds__(32 * kLowLatencyWarps, 1)
    low_latency_dispatch_kernel(const __grid_constant__ LowLatencyDispatch work,
                                const __grid_constant__ LowLatencyGrid grid,
                                LaunchHalf half) {
  __shared__ int row_count[kMostGroups];
  __shared__ int2 shared_range[kMostGroups];
  const Place place = place_of_thread(grid);
  if (half != LaunchHalf::receive) {
    const int last_warp = grid.groups_per_cta * grid.warps_per_group - 1;
    if (place.warp < last_warp)
      send_tokens<kFp8, kHidden>(work, place, 32 * last_warp);
    else
      count_rows(work, place.pair - place.group, grid.groups_per_cta, place.lane, row_count);
    __syncthreads();
    if (place.pair < work.shape.expert_count && place.warp_of_group == 0 && place.lane == 0)
      publish_count(work, place.pair, row_count[place.group]);
    __syncwarp();
  }
  // Receivers add to the counters that publishers of other CTAs have reset.
  if (half == LaunchHalf::both) cooperative_groups::this_grid().sync();
  if (half != LaunchHalf::send) receive_rows<kFp8, kHidden>(work, grid, place, shared_range);
}

using Kernel = void (*)(const LowLatencyDispatch, const LowLatencyGrid, LaunchHalf);

template <bool kFp8>
Kernel kernel_of(int hidden) {
  switch (hidden) {
    case 2048:
      return low_latency_dispatch_kernel<kFp8, 2048>;
    case 2560:
      return low_latency_dispatch_kernel<kFp8, 2560>;
    case 4096:
      return low_latency_dispatch_kernel<kFp8, 4096>;
    case 5120:
      return low_latency_dispatch_kernel<kFp8, 5120>;
    case 7168:
      return low_latency_dispatch_kernel<kFp8, 7168>;
    case 8192:
      return low_latency_dispatch_kernel<kFp8, 8192>;
    default:
      throw CudaError("low-latency dispatch: no kernel for hidden " + std::to_string(hidden));
  }
}

void require(bool holds, const char* what) {
  if (!holds) throw CudaError(std::string("low-latency dispatch: ") + what);
}

void check_shape(const LowLatencyDispatch& work, int sm_count) {
  const LowLatencyShape& s = work.shape;
  require(s.rank_count >= 1 && s.rank_count <= kMostRanks, "1 to 72 ranks");
  require(s.rank >= 0 && s.rank < s.rank_count, "the rank is one of them");
  require(s.expert_count >= 1 && s.expert_count % s.rank_count == 0,
          "the experts are a multiple of the ranks");
  require(low_latency_grid(s.expert_count, sm_count).groups_per_cta <= kMostGroups,
          "at most 8 experts an SM");
  require(s.most_tokens >= 1 && s.most_tokens <= kMostWordRows, "1 to 65534 tokens at most");
  require(s.token_count >= 0 && s.token_count <= s.most_tokens, "tokens up to the most");
  require(s.top_k >= 1 && s.top_k <= kMostTopK, "1 to 16 choices a token");
  require(work.generation >= 1 && work.generation <= kMostGenerations,
          "generations run from 1 to 32767");
}

}  // namespace

// Cooperative in every half: publishers wait for copies of other CTAs, so all must be resident.
void launch_low_latency_dispatch(const LowLatencyDispatch& work,
                                 RowFormat format,
                                 LaunchHalf half,
                                 cudaStream_t stream) {
  int gpu = 0;
  int sm_count = 0;
  cuda_check(cudaGetDevice(&gpu));
  cuda_check(cudaDeviceGetAttribute(&sm_count, cudaDevAttrMultiProcessorCount, gpu));
  check_shape(work, sm_count);
  LowLatencyGrid grid = low_latency_grid(work.shape.expert_count, sm_count);
  Kernel kernel = format == RowFormat::fp8 ? kernel_of<true>(work.shape.hidden)
                                           : kernel_of<false>(work.shape.hidden);
  LowLatencyDispatch argument = work;
  void* arguments[] = {&argument, &grid, &half};
  const auto threads = static_cast<unsigned>(32 * grid.groups_per_cta * grid.warps_per_group);
  cuda_check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(kernel),
                                         dim3(static_cast<unsigned>(grid.cta_count)),
                                         dim3(threads),
                                         arguments,
                                         0,
                                         stream));
}

}  // namespace epsim::kernels
