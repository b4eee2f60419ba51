// reduce_ring: the receive pipeline of a combine. A load warp fills the stages of a ring with whole
// rows; decode warps, each with its own 512 channels, add them up and store a token's sum.
//
// CombineFence says where proxy fences stand. Everything else is the same in all placements: a warp
// meets before one of its lanes arrives, and every barrier operation clobbers memory, so that
// neither warps nor compilers reorder what only the proxies should.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_bf16.h>

#include "kernels/low_latency/combine_fence.cuh"
#include "kernels/low_latency/streaming_bulk.cuh"
#include "kernels/ptx.cuh"

namespace epsim::kernels {

inline constexpr int kRingDepth = 3;         // of the combine; microbenchmarks take others
inline constexpr int kDecodeChannels = 512;  // of a decode warp: 16 a lane
inline constexpr int kDecodeSliceBytes = 1024;
inline constexpr int kMostRingGroups = 2;  // of a CTA

// What a load warp and its decode warps share.
struct Ring {
  std::uint8_t* stages;   // `depth` of them, `pitch` bytes apart, each of one row
  std::uint64_t* full;    // [depth]
  std::uint64_t* empty;   // [depth]
  std::uint8_t* outputs;  // a slice for each decode warp
  int depth;
  int pitch;
  int row_bytes;
};

// Where one warp is in its ring. The load warp begins one phase ahead: all stages are empty.
struct RingPlace {
  int stage = 0;
  std::uint32_t parity = 0;
};
inline constexpr std::uint32_t kLoaderParity = 1;

__device__ __forceinline__ void advance(RingPlace& place, int depth) {
  if (++place.stage == depth) {
    place.stage = 0;
    place.parity ^= 1U;
  }
}

// Which tokens a group reduces, and from where.
struct ReduceWork {
  const std::uint8_t* rows;        // [experts][most_tokens], slot_bytes apart
  const std::int64_t* expert_ids;  // [token_count][top_k], -1 where there is none
  const float* weights;            // [token_count][top_k]
  std::uint16_t* output;           // BF16: [token_count][row_bytes / 2]
  std::size_t slot_bytes;
  int most_tokens;
  int token_count;
  int top_k;  // at most 32
  int first_token;
  int token_stride;
};

#ifdef EPSIM_HAS_BULK_COPY

template <CombineFence kFence>
inline constexpr bool kFencesOnce =
    kFence == CombineFence::once || kFence == CombineFence::once_and_stage_release;
template <CombineFence kFence>
inline constexpr bool kFencesRelease =
    kFence == CombineFence::stage_release || kFence == CombineFence::once_and_stage_release;

template <CombineFence kFence>
__device__ __forceinline__ void fence_before_load() {
  if constexpr (kFence == CombineFence::per_load) fence_proxy_async();
  if constexpr (kFence == CombineFence::per_load_global) fence_proxy_async_global();
  if constexpr (kFence == CombineFence::per_load_shared) fence_proxy_async_shared_cta();
  if constexpr (kFence == CombineFence::threadfence_per_load) __threadfence_system();
}

// By the load warp; all threads of the group must meet before the ring is used.
__device__ __forceinline__ void open_ring(const Ring& ring, int decoders, int lane) {
  if (lane < ring.depth) {
    mbarrier_init(ring.full + lane, 1);
    mbarrier_init(ring.empty + lane, decoders);
    fence_mbarrier_init();
  }
  __syncwarp();
}

// Ordinary and coherent, unlike load_streaming: peers write the rows while the kernel runs.
__device__ __forceinline__ uint4 load_row_vector(const uint4* from) {
  uint4 v;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(from)
               : "memory");
  return v;
}

// Seven loads under way a lane: what registers allow at 1024 threads, and a row of 7168 needs 28.
__device__ __forceinline__ void copy_row(std::uint8_t* shared,
                                         const std::uint8_t* row,
                                         int row_bytes,
                                         int lane) {
  constexpr int kUnroll = 7;
  const uint4* from = reinterpret_cast<const uint4*>(row);
  uint4* to = reinterpret_cast<uint4*>(shared);
  const int vectors = row_bytes / 16;
  for (int first = lane; first < vectors; first += 32 * kUnroll) {
    uint4 held[kUnroll];
#pragma unroll
    for (int i = 0; i < kUnroll; ++i)
      if (first + i * 32 < vectors) held[i] = load_row_vector(from + first + i * 32);
#pragma unroll
    for (int i = 0; i < kUnroll; ++i)
      if (first + i * 32 < vectors) to[first + i * 32] = held[i];
  }
}

// By the whole load warp: the next stage, once it is empty, gets this row.
template <CombineFence kFence>
__device__ __forceinline__ void ring_load(const Ring& ring,
                                          RingPlace& place,
                                          const std::uint8_t* row,
                                          int lane) {
  std::uint64_t* full = ring.full + place.stage;
  std::uint8_t* stage = ring.stages + place.stage * ring.pitch;
  mbarrier_wait(ring.empty + place.stage, place.parity);
  if constexpr (kFence == CombineFence::generic_copy) {
    copy_row(stage, row, ring.row_bytes, lane);
    __syncwarp();
    if (lane == 0) mbarrier_arrive(full);
  } else if (lane == 0) {
    fence_before_load<kFence>();
    mbarrier_arrive_expect(full, ring.row_bytes);
    bulk_load_streaming(stage, row, full, ring.row_bytes);
  }
  __syncwarp();
  advance(place, ring.depth);
}

// By a whole decode warp: read(stage) sees the next row, then the stage is free.
template <CombineFence kFence, typename Read>
__device__ __forceinline__ void ring_consume(const Ring& ring,
                                             RingPlace& place,
                                             int lane,
                                             Read read) {
  mbarrier_wait(ring.full + place.stage, place.parity);
  read(ring.stages + place.stage * ring.pitch);
  if constexpr (kFencesRelease<kFence>) fence_proxy_async_shared_cta();
  __syncwarp();
  if (lane == 0) mbarrier_arrive(ring.empty + place.stage);
  advance(place, ring.depth);
}

// The load warp's part. Returns the rows that it loaded.
template <CombineFence kFence>
__device__ __forceinline__ int load_tokens(const Ring& ring, const ReduceWork& work, int lane) {
  RingPlace place{.parity = kLoaderParity};
  int loaded = 0;
  if constexpr (kFencesOnce<kFence>)
    if (lane == 0) fence_proxy_async();
  for (int token = work.first_token; token < work.token_count; token += work.token_stride) {
    int expert = -1;
    if (lane < work.top_k)
      expert = static_cast<int>(__ldg(work.expert_ids + std::size_t(token) * work.top_k + lane));
    if constexpr (kFence == CombineFence::per_token)
      if (lane == 0) fence_proxy_async();
    for (int k = 0; k < work.top_k; ++k) {
      const int chosen = __shfl_sync(~0U, expert, k);
      if (chosen < 0) continue;
      const std::size_t slot = std::size_t(chosen) * work.most_tokens + token;
      ring_load<kFence>(ring, place, work.rows + slot * work.slot_bytes, lane);
      ++loaded;
    }
  }
  return loaded;
}

// Adds 16 channels of a row, weighted, in FP32.
__device__ __forceinline__ void accumulate(float (&sum)[16],
                                           const std::uint8_t* channels,
                                           float weight) {
  const uint4* vectors = reinterpret_cast<const uint4*>(channels);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const uint4 v = vectors[half];
    const std::uint32_t words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int w = 0; w < 4; ++w) {
      float& low = sum[half * 8 + 2 * w];
      float& high = sum[half * 8 + 2 * w + 1];
      low = fmaf(weight, __uint_as_float(words[w] << 16), low);
      high = fmaf(weight, __uint_as_float(words[w] & 0xffff0000U), high);
    }
  }
}

// Rounds a slice to BF16 and sends it off. `stage`: this warp's own slice of shared memory.
__device__ __forceinline__ void store_slice(const float (&sum)[16],
                                            std::uint8_t* stage,
                                            std::uint8_t* to,
                                            int lane) {
  if (lane == 0) bulk_wait_read<0>();  // the token before has left the slice
  __syncwarp();
  std::uint32_t words[8];
#pragma unroll
  for (int w = 0; w < 8; ++w) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(sum[2 * w], sum[2 * w + 1]);
    words[w] = *reinterpret_cast<const std::uint32_t*>(&pair);
  }
  uint4* vectors = reinterpret_cast<uint4*>(stage + 32 * lane);
  vectors[0] = make_uint4(words[0], words[1], words[2], words[3]);
  vectors[1] = make_uint4(words[4], words[5], words[6], words[7]);
  fence_proxy_async_shared_cta();
  __syncwarp();
  if (lane == 0) bulk_store_streaming(to, stage, kDecodeSliceBytes);
  __syncwarp();
}

// The part of the decode warp that has channels 512 * slice and on.
template <CombineFence kFence>
__device__ __forceinline__ void reduce_tokens(const Ring& ring,
                                              const ReduceWork& work,
                                              int slice,
                                              int lane) {
  RingPlace place;
  std::uint8_t* output = reinterpret_cast<std::uint8_t*>(work.output) + slice * kDecodeSliceBytes;
  for (int token = work.first_token; token < work.token_count; token += work.token_stride) {
    int expert = -1;
    float weight = 0;
    if (lane < work.top_k) {
      const std::size_t choice = std::size_t(token) * work.top_k + lane;
      expert = static_cast<int>(__ldg(work.expert_ids + choice));
      weight = __ldg(work.weights + choice);
    }
    float sum[16] = {};
    for (int k = 0; k < work.top_k; ++k) {
      if (__shfl_sync(~0U, expert, k) < 0) continue;
      const float chosen_weight = __shfl_sync(~0U, weight, k);
      ring_consume<kFence>(ring, place, lane, [&](const std::uint8_t* row) {
        accumulate(sum, row + slice * kDecodeSliceBytes + 32 * lane, chosen_weight);
      });
    }
    store_slice(sum,
                ring.outputs + slice * kDecodeSliceBytes,
                output + std::size_t(token) * ring.row_bytes,
                lane);
  }
  if (lane == 0) bulk_wait_read<0>();  // shared memory must outlive its readers
}

#endif

}  // namespace epsim::kernels
