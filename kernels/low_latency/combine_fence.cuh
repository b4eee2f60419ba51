// CombineFence: where the receive phase of a combine puts its fences. The names in comments are
// those of the fence table that the simulator's models use.
//
// Two edges cross from the generic to the asynchronous proxy. E1, global memory: a flag acquired by
// an ordinary load, then a bulk load by another thread of the row which the flag announced. E2,
// shared memory: ordinary reads of a stage, then the bulk load that overwrites it.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace epsim::kernels {

enum class CombineFence {
  none,                    // P0: closes neither edge
  poller,                  // P1: each poller, right after its acquire
  once,                    // P1b: each load warp once, after the grid sync; closes E1
  per_token,               // P2: the load warp, before the first row of a token; closes E1
  per_load,                // P3: the load warp, before each bulk load; closes E1 and E2
  per_load_global,         // P3g: as P3, global memory only; closes E1
  per_load_shared,         // P3s: as P3, shared memory only; closes E2
  stage_release,           // P4: decode warps, before they free a stage; closes E2
  threadfence_per_load,    // P5: an ordinary fence instead of a proxy fence; closes neither
  generic_copy,            // P6: the load warp copies with ordinary instructions; no edge crosses
  once_and_stage_release,  // P1b+P4: closes both, at the least cost that we know of
};
inline constexpr std::size_t kCombineFences = 11;

// Whether the reads of a stage are ordered before the bulk load that overwrites it (E2).
constexpr bool closes_ring_edge(CombineFence fence) {
  return fence == CombineFence::per_load || fence == CombineFence::per_load_shared ||
         fence == CombineFence::stage_release || fence == CombineFence::generic_copy ||
         fence == CombineFence::once_and_stage_release;
}
// Whether the acquired flags are ordered before the bulk loads of the rows as well (E1 and E2).
constexpr bool closes_both_edges(CombineFence fence) {
  return fence == CombineFence::per_load || fence == CombineFence::generic_copy ||
         fence == CombineFence::once_and_stage_release;
}

// Something for each placement, by index: what kernel_of(fence) returns, where `fence` is a
// constant whose type's `value` may be a template argument.
template <typename KernelOf>
constexpr auto for_each_fence(KernelOf kernel_of) {
  return [&]<std::size_t... kIndices>(std::index_sequence<kIndices...>) {
    return std::array{kernel_of(std::integral_constant<CombineFence, CombineFence(kIndices)>{})...};
  }
  (std::make_index_sequence<kCombineFences>());
}

}  // namespace epsim::kernels
