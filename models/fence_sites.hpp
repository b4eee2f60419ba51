// Fence sites: which fences a placement puts where in the receive side of an exchange. Kernels of
// the DeepEP line poll a flag with generic loads and bring rows in with bulk copies (async proxy);
// each placement closes another part of that gap at another price.
#pragma once

#include <utility>

#include "models/fence_placement.hpp"
#include "models/plan.hpp"

namespace epsim {

struct FenceSites {
  FenceKind poller = FenceKind::none;           // once, after each poller's acquire
  FenceKind after_grid_sync = FenceKind::none;  // once, in each load warp
  FenceKind token = FenceKind::none;            // before the first load of each token
  FenceKind load = FenceKind::none;             // before every row load
  FenceKind stage_release = FenceKind::none;  // in the decode warps, before a stage is handed back
  bool generic_copy = false;                  // rows come by ordinary loads, no bulk copy
  bool second_kernel = false;                 // the reduction is a launch of its own
  bool operator==(const FenceSites&) const = default;
};

[[nodiscard]] constexpr FenceKind thread_fence(Scope scope) {
  switch (scope) {
    case Scope::cta:
      return FenceKind::acq_rel_cta;
    case Scope::cluster:
      return FenceKind::acq_rel_cluster;
    case Scope::gpu:
      return FenceKind::acq_rel_gpu;
    case Scope::sys:
      break;
  }
  return FenceKind::acq_rel_sys;
}

// Of the loading side and of the side that hands a stage back; `own` is what each has by its name.
[[nodiscard]] constexpr std::pair<FenceKind, FenceKind> proxy_fences(FenceSpace space) {
  switch (space) {
    case FenceSpace::both:
      return {FenceKind::proxy_async, FenceKind::proxy_async};
    case FenceSpace::global:
      return {FenceKind::proxy_async_global, FenceKind::proxy_async_global};
    case FenceSpace::shared_cta:
      return {FenceKind::proxy_async_shared_cta, FenceKind::proxy_async_shared_cta};
    case FenceSpace::global_and_shared_cta:
      return {FenceKind::proxy_async_global, FenceKind::proxy_async_shared_cta};
    case FenceSpace::own:
    case FenceSpace::both_and_shared_cta:
      break;
  }
  return {FenceKind::proxy_async, FenceKind::proxy_async_shared_cta};
}

[[nodiscard]] constexpr FenceSites fence_sites(FencePlacement placement, FenceForm form = {}) {
  const auto [loading, releasing] = proxy_fences(form.space);
  switch (placement) {
    case FencePlacement::P0:
      return {};
    case FencePlacement::P1:
      return {.poller = loading};
    case FencePlacement::P1b:
      return {.after_grid_sync = loading};
    case FencePlacement::P2:
      return {.token = loading};
    case FencePlacement::P3:
      return {.load = loading};
    case FencePlacement::P3g:
      return {.load = FenceKind::proxy_async_global};
    case FencePlacement::P3s:
      return {.load = FenceKind::proxy_async_shared_cta};
    case FencePlacement::P4:
      return {.stage_release = releasing};
    case FencePlacement::P5:
      return {.load = thread_fence(form.scope)};
    case FencePlacement::P6:
      return {.generic_copy = true};
    case FencePlacement::P7:
      return {.second_kernel = true};
    case FencePlacement::P1b_P4:
      return {.after_grid_sync = loading, .stage_release = releasing};
  }
  return {};
}

}  // namespace epsim
