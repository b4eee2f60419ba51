// streaming_bulk: bulk copies of rows that pass through once, marked to leave the L2 cache first.
#pragma once

#include <cstdint>

#include "kernels/ptx.cuh"

namespace epsim::kernels {

#ifdef EPSIM_HAS_BULK_COPY

// What createpolicy.fractional.L2::evict_first makes for the whole of a range.
inline constexpr std::uint64_t kEvictFirst = 0x12f0000000000000ULL;

// As bulk_load and bulk_store of ptx.cuh.
__device__ __forceinline__ void bulk_load_streaming(void* shared,
                                                    const void* global,
                                                    std::uint64_t* barrier,
                                                    int bytes) {
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint"
      " [%0], [%1], %2, [%3], %4;" ::"r"(shared_address(shared)),
      "l"(global),
      "r"(bytes),
      "r"(shared_address(barrier)),
      "l"(kEvictFirst)
      : "memory");
}
__device__ __forceinline__ void bulk_store_streaming(void* global, const void* shared, int bytes) {
  asm volatile(
      "cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%0], [%1], %2, %3;\n"
      "cp.async.bulk.commit_group;" ::"l"(global),
      "r"(shared_address(shared)),
      "r"(bytes),
      "l"(kEvictFirst)
      : "memory");
}

#endif

}  // namespace epsim::kernels
