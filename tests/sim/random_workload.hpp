// Random small workloads of every kernel family, for properties that must hold for all of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "models/workload.hpp"
#include "sim/base/rng.hpp"
#include "topologies/registry.hpp"
#include "traces/routing_generators.hpp"

namespace epsim {

struct RandomWorkload {
  const FamilyKind* kind;
  Workload workload;
};

// Families that hgx-h200 was calibrated for: those of one host.
inline const std::vector<const FamilyKind*>& calibrated_kinds() {
  static const std::vector<const FamilyKind*> kinds = [] {
    const Calibration calibration = load_calibration("hgx-h200");
    std::vector<const FamilyKind*> found;
    for (const FamilyKind& kind : kernel_families())
      for (const KernelFamily& family : calibration.families)
        if (family.name == kind.name) found.push_back(&kind);
    return found;
  }();
  return kinds;
}

// One to eight ranks, none to sixty tokens each, any format, fence, mode, mask and launch skew.
inline RandomWorkload random_workload(std::uint64_t seed) {
  static const auto topology = std::make_shared<const Topology>(load_topology("hgx-h200").topology);
  constexpr std::array kRoutings = {"random", "zipf", "local-rand", "random-same"};
  Rng rng(seed);
  const auto draw = [&](std::uint64_t below) {
    return static_cast<std::uint32_t>(rng.below(below));
  };
  RandomWorkload random{calibrated_kinds()[draw(calibrated_kinds().size())], {}};
  Workload& workload = random.workload;
  RoutingSpec spec;
  spec.shape.ranks = 1U << draw(4);
  spec.shape.experts = spec.shape.ranks * (4 + draw(36));
  spec.shape.top_k = 1 + draw(4);
  spec.name.kind = kRoutings[draw(kRoutings.size())];
  spec.name.alpha = 1.0;
  spec.tokens_per_rank = draw(4) == 0 ? draw(2) : draw(60);
  spec.masked_fraction = draw(3) == 0 ? rng.uniform() : 0.0;
  workload.routing = std::make_shared<const Routing>(make_routing(spec, rng.stream("routing")));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = spec.shape.ranks, .experts = spec.shape.experts}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = topology;
  workload.hidden = 128 * (1 + draw(56));
  workload.dispatch_format = static_cast<DispatchFormat>(draw(2));
  workload.combine_format = static_cast<CombineFormat>(draw(2));
  if (random.kind->takes_fences)
    workload.fence = static_cast<FencePlacement>(draw(kFencePlacementNames.size()));
  if (random.kind->takes_sms) workload.sms = 2 + 2 * draw(12);
  workload.counted = draw(2) == 0;
  workload.split.split = random.kind->takes_split && draw(3) == 0;
  if (workload.split.split) workload.split.gap = Duration{draw(20'000'000)};
  const std::uint32_t skew = draw(2) == 0 ? 1 : 5'000'000;
  for (std::uint32_t r = 0; r < spec.shape.ranks; ++r)
    workload.rank_start.push_back(Duration{draw(skew)});
  const auto& ring_fences = random.kind->dispatch_fences;
  if (!ring_fences.empty())
    workload.dispatch_fence.placement = ring_fences[draw(ring_fences.size())];
  workload.fence_form.space = static_cast<FenceSpace>(draw(kFenceSpaceNames.size()));
  workload.fence_form.scope = static_cast<Scope>(draw(kScopeNames.size()));
  return random;
}

}  // namespace epsim
