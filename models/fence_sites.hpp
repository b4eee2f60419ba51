// Fence sites: which fences a placement puts where in the receive side of a combine. KERNELS of the
// DeepEP line poll a flag with generic loads and bring rows in with bulk copies (async proxy); each
// placement closes another part of that gap at another price.
#pragma once

#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

struct FenceSites {
  FenceKind poller = FenceKind::none;           // once, after each poller's acquire
  FenceKind after_grid_sync = FenceKind::none;  // once, in each load warp
  FenceKind token = FenceKind::none;            // before the first load of each token
  FenceKind load = FenceKind::none;             // before every row load
  FenceKind stage_release = FenceKind::none;  // in the decode warps, before a stage is handed back
  bool generic_copy = false;                  // rows come by ordinary loads, no bulk copy
  bool second_kernel = false;                 // the reduction is a launch of its own
};

[[nodiscard]] constexpr FenceSites fence_sites(FencePlacement placement) {
  switch (placement) {
    case FencePlacement::P0:
      return {};
    case FencePlacement::P1:
      return {.poller = FenceKind::proxy_async};
    case FencePlacement::P1b:
      return {.after_grid_sync = FenceKind::proxy_async};
    case FencePlacement::P2:
      return {.token = FenceKind::proxy_async};
    case FencePlacement::P3:
      return {.load = FenceKind::proxy_async};
    case FencePlacement::P3g:
      return {.load = FenceKind::proxy_async_global};
    case FencePlacement::P3s:
      return {.load = FenceKind::proxy_async_shared_cta};
    case FencePlacement::P4:
      return {.stage_release = FenceKind::proxy_async_shared_cta};
    case FencePlacement::P5:
      return {.load = FenceKind::acq_rel_sys};
    case FencePlacement::P6:
      return {.generic_copy = true};
    case FencePlacement::P7:
      return {.second_kernel = true};
    case FencePlacement::P1b_P4:
      return {.after_grid_sync = FenceKind::proxy_async,
              .stage_release = FenceKind::proxy_async_shared_cta};
  }
  return {};
}

}  // namespace epsim
