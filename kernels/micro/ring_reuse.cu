#include <string>

#include "kernels/cuda_check.hpp"
#include "kernels/low_latency/reduce_ring.cuh"
#include "kernels/low_latency/shape.cuh"
#include "kernels/micro/ring_reduce.cuh"
#include "kernels/micro/ring_reuse.cuh"
#include "kernels/micro/stamped_rows.cuh"

namespace epsim::kernels {
namespace {

#ifdef EPSIM_HAS_BULK_COPY

// Not moved by the compiler past a sleep or an arrive.
__device__ __forceinline__ uint4 load_shared(const std::uint8_t* from) {
  uint4 v;
  asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "r"(shared_address(from))
               : "memory");
  return v;
}

// Stages never hold a stamp that a load has not brought: row -1 is nobody's.
__device__ __forceinline__ void poison_slice(const Ring& ring, int slice, int lane) {
  for (int stage = 0; stage < ring.depth; ++stage) {
    uint4* mine = reinterpret_cast<uint4*>(ring.stages + stage * ring.pitch +
                                           slice * kDecodeSliceBytes + 32 * lane);
    mine[0] = mine[1] = make_uint4(~0U, ~0U, ~0U, ~0U);
  }
  fence_proxy_async_shared_cta();
}

// One decode warp's view of one row.
struct SeenSlice {
  uint4 first, second;
};

template <CombineFence kFence, StampCheck kCheck>
__device__ __forceinline__ bool slice_is_right(const Ring& ring,
                                               RingPlace& place,
                                               const RingReuse& work,
                                               int row,
                                               int slice,
                                               int lane,
                                               int& wrong_vectors) {
  const int vector = (slice * kDecodeSliceBytes + 32 * lane) / 16;
  SeenSlice seen{};
  int wrong = 0;
  bool right = true;
  const auto compare = [&] {
    wrong = (is_stamp(seen.first, row, vector, work.iteration) ? 0 : 1) +
            (is_stamp(seen.second, row, vector + 1, work.iteration) ? 0 : 1);
    right = __all_sync(~0U, wrong == 0);
  };
  ring_consume<kFence>(ring, place, lane, [&](const std::uint8_t* stage) {
    const std::uint8_t* mine = stage + vector * 16;
    seen.first = load_shared(mine);
    if (slice < work.slow_warps) __nanosleep(static_cast<unsigned>(work.delay_ns));
    seen.second = load_shared(mine + 16);
    if constexpr (kCheck == StampCheck::before_release) compare();
  });
  if constexpr (kCheck == StampCheck::after_release) compare();
  wrong_vectors = wrong;
  return right;
}

template <CombineFence kFence, StampCheck kCheck>
__device__ __forceinline__ void check_round(const Ring& ring,
                                            RingPlace& place,
                                            const RingReuse& work,
                                            int first_row,
                                            int tag,
                                            int slice,
                                            int lane) {
  for (int load = 0; load < work.loads; ++load) {
    const int row = first_row + load;
    int wrong = 0;
    if (slice_is_right<kFence, kCheck>(ring, place, work, row, slice, lane, wrong)) continue;
    if (wrong > 0) atomicAdd(work.stale_vectors, static_cast<unsigned long long>(wrong));
    // Several warps may see the same stale row: the first one counts it.
    if (lane == 0 && atomicExch(work.last_stale + row, tag) != tag)
      atomicAdd(work.stale_rows, 1ULL);
  }
}

#endif

template <CombineFence kFence, StampCheck kCheck>
__global__ void __launch_bounds__(kLowLatencyWarps * 32, 1)
    ring_reuse_kernel(const __grid_constant__ RingReuse work, int groups) {
#ifdef EPSIM_HAS_BULK_COPY
  extern __shared__ __align__(128) std::uint8_t shared[];
  __shared__ std::uint64_t barriers[kMostRingGroups * 2 * kMostRingDepth];
  const int warp = __shfl_sync(~0U, static_cast<int>(threadIdx.x) / 32, 0);
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int decoders = work.row_bytes / kDecodeSliceBytes;
  const int group = warp / (decoders + 1);
  const int slice = warp % (decoders + 1);
  std::uint64_t* own_barriers = barriers + group * 2 * kMostRingDepth;
  const Ring ring{.stages = shared + group * work.depth * work.row_bytes,
                  .full = own_barriers,
                  .empty = own_barriers + kMostRingDepth,
                  .outputs = nullptr,
                  .depth = work.depth,
                  .pitch = work.row_bytes,
                  .row_bytes = work.row_bytes};
  const int first_row = (static_cast<int>(blockIdx.x) * groups + group) * work.loads;
  const bool loads = slice == decoders;
  RingPlace place{.parity = loads ? kLoaderParity : 0};
  if (loads) open_ring(ring, decoders, lane);
  for (int round = 0; round < work.rounds; ++round) {
    if (!loads) poison_slice(ring, slice, lane);
    named_barrier(1 + group, (decoders + 1) * 32);
    if (loads) {
      const std::uint8_t* row = work.rows + std::size_t(first_row) * work.row_bytes;
      for (int load = 0; load < work.loads; ++load, row += work.row_bytes)
        ring_load<kFence>(ring, place, row, lane);
    } else {
      const int tag = work.iteration * work.rounds + round;
      check_round<kFence, kCheck>(ring, place, work, first_row, tag, slice, lane);
    }
    // All rows have landed, since all decode warps have waited for them.
    named_barrier(1 + group, (decoders + 1) * 32);
  }
#else
  __trap();
#endif
}

using ReuseKernel = void (*)(RingReuse, int);

template <CombineFence kFence>
ReuseKernel kernel_with(StampCheck check) {
  return check == StampCheck::before_release ? ring_reuse_kernel<kFence, StampCheck::before_release>
                                             : ring_reuse_kernel<kFence, StampCheck::after_release>;
}

ReuseKernel kernel_of(CombineFence fence, StampCheck check) {
  if (fence == CombineFence::none) return kernel_with<CombineFence::none>(check);
  if (fence == CombineFence::stage_release) return kernel_with<CombineFence::stage_release>(check);
  if (fence == CombineFence::per_load) return kernel_with<CombineFence::per_load>(check);
  throw CudaError("ring reuse: no kernel for this placement");
}

}  // namespace

void launch_ring_reuse(const RingReuse& work,
                       CombineFence fence,
                       StampCheck check,
                       cudaStream_t stream) {
  const int groups = ring_groups(work.row_bytes);
  if (work.row_bytes % kDecodeSliceBytes != 0 || groups < 1 || work.depth < 1 ||
      work.depth > kMostRingDepth || work.loads < 1 || work.rounds < 1)
    throw CudaError("ring reuse: rows of " + std::to_string(work.row_bytes) + " bytes, depth " +
                    std::to_string(work.depth) + ", " + std::to_string(work.loads) +
                    " loads: out of range");
  const ReuseKernel kernel = kernel_of(fence, check);
  const int shared_bytes = groups * work.depth * work.row_bytes;
  cuda_check(
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes));
  const int warps = groups * (work.row_bytes / kDecodeSliceBytes + 1);
  kernel<<<static_cast<unsigned>(work.cta_count),
           static_cast<unsigned>(warps * 32),
           static_cast<std::size_t>(shared_bytes),
           stream>>>(work, groups);
  cuda_check_launch();
}

}  // namespace epsim::kernels
