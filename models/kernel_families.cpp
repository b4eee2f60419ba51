#include "models/kernel_families.hpp"

#include <array>

#include "models/graph_exchange.hpp"
#include "models/intranode.hpp"
#include "models/low_latency.hpp"

namespace epsim {
namespace {

// A ring's receiver has no grid sync, no decode warps and no second kernel.
constexpr std::array kRingFences = {FencePlacement::P0,
                                    FencePlacement::P1,
                                    FencePlacement::P1b,
                                    FencePlacement::P3,
                                    FencePlacement::P3g,
                                    FencePlacement::P5};

constexpr std::array kFamilies = {
    FamilyKind{.name = "deepep-ll-1.2.1",
               .description = "DeepEP low-latency kernels: one message a (token, expert)",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .top_k_max = 16,
               .experts_per_sm_max = 16,
               .constants = &low_latency_constants,
               .dispatch = &plan_low_latency_dispatch,
               .combine = &plan_low_latency_combine},
    FamilyKind{.name = "epsim-ll",
               .description = "epsim's own low-latency kernels: DeepEP's protocol, tagged signals",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .top_k_max = 16,
               .experts_per_sm_max = 16,
               .constants = &tagged_low_latency_constants,
               .dispatch = &plan_tagged_low_latency_dispatch,
               .combine = &plan_low_latency_combine},
    FamilyKind{.name = "deepep-intranode-1.2.1",
               .description = "DeepEP normal kernels of one node: rings by channel, one row a rank",
               .takes_sms = true,
               .takes_fences = false,
               .takes_split = false,
               .dispatch_fences = kRingFences,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .constants = &intranode_constants,
               .dispatch = &plan_intranode_dispatch,
               .combine = &plan_intranode_combine},
    FamilyKind{.name = "epsim-graph",
               .description = "epsim's graph-capturable exchange: stream memory operations, no CPU",
               .takes_sms = false,
               .takes_fences = false,
               .takes_split = false,
               .takes_exchange = true,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .constants = &graph_exchange_constants,
               .dispatch = &plan_graph_dispatch,
               .combine = &plan_graph_combine},
};

}  // namespace

std::span<const FamilyKind> kernel_families() {
  return kFamilies;
}

const FamilyKind* find_family(std::string_view name) {
  for (const FamilyKind& kind : kFamilies)
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace epsim
