#include "calibrate/experiments/combine_fence_names.hpp"

#include <algorithm>
#include <array>

#include "sim/base/check.hpp"

namespace epsim {

std::span<const CombineFenceName> combine_fence_names() {
  using kernels::CombineFence;
  static constexpr std::array<CombineFenceName, kernels::kCombineFences> kNames{{
      {"P0", CombineFence::none},
      {"P1", CombineFence::poller},
      {"P1b", CombineFence::once},
      {"P2", CombineFence::per_token},
      {"P3", CombineFence::per_load},
      {"P3g", CombineFence::per_load_global},
      {"P3s", CombineFence::per_load_shared},
      {"P4", CombineFence::stage_release},
      {"P5", CombineFence::threadfence_per_load},
      {"P6", CombineFence::generic_copy},
      {"P1b+P4", CombineFence::once_and_stage_release},
  }};
  return kNames;
}

kernels::CombineFence combine_fence(std::string_view text) {
  const auto names = combine_fence_names();
  const auto found = std::ranges::find(names, text, &CombineFenceName::text);
  check(found != names.end(), "the placement of fences has a name that we know");
  return found->fence;
}

}  // namespace epsim
