#include "models/kernel_families.hpp"

#include <array>

#include "models/graph_exchange.hpp"
#include "models/hybrid.hpp"
#include "models/internode.hpp"
#include "models/intranode.hpp"
#include "models/low_latency.hpp"
#include "models/one_sided.hpp"

namespace epsim {
namespace {

// A ring's receiver has no grid sync, no decode warps and no second kernel.
constexpr std::array kRingFences = {FencePlacement::P0,
                                    FencePlacement::P1,
                                    FencePlacement::P1b,
                                    FencePlacement::P3,
                                    FencePlacement::P3g,
                                    FencePlacement::P5};

// DeepEP's own test of these kernels (tests/test_low_latency.py) masks ten random picks of each
// rank before it times them.
constexpr std::uint32_t kMaskedPicks = 10;

// And its test of the normal kernels (tests/test_internode.py) lets a token reach four hosts at
// most, as group-limited gating does.
constexpr std::string_view kGroupLimited = "node-limited:HOSTS:4";

constexpr std::array kFamilies = {
    FamilyKind{.name = "deepep-ll-1.2.1",
               .description = "DeepEP low-latency kernels: one message a (token, expert)",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .takes_network = true,
               .takes_fold = true,
               .top_k_max = 16,
               .experts_per_sm_max = 16,
               .constants = &low_latency_constants,
               .dispatch = &plan_low_latency_dispatch,
               .combine = &plan_low_latency_combine},
    FamilyKind{.name = "deepep-ll-legacy",
               .description = "the same as others timed them: NVLink inside a host, RDMA beyond",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .takes_network = true,
               .takes_fold = true,
               .top_k_max = 16,
               .experts_per_sm_max = 16,
               .masked_picks = kMaskedPicks,
               .states_means = true,
               .constants = &low_latency_constants,
               .dispatch = &plan_low_latency_dispatch,
               .combine = &plan_low_latency_combine},
    FamilyKind{.name = "deepep-ll-v1",
               .description = "the same as DeepEP first published them with NVLink",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .takes_network = true,
               .takes_fold = true,
               .top_k_max = 16,
               .experts_per_sm_max = 16,
               .masked_picks = kMaskedPicks,
               .states_means = true,
               .constants = &low_latency_constants,
               .dispatch = &plan_low_latency_dispatch,
               .combine = &plan_low_latency_combine},
    FamilyKind{.name = "deepep-ll-v1-rdmaonly",
               .description = "the same before NVLink: every other rank by RDMA",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .takes_network = true,
               .needs_network = true,
               .takes_fold = true,
               .top_k_max = 16,
               .experts_per_sm_max = 16,
               .masked_picks = kMaskedPicks,
               .states_means = true,
               .constants = &low_latency_constants,
               .dispatch = &plan_rdma_low_latency_dispatch,
               .combine = &plan_rdma_low_latency_combine},
    FamilyKind{.name = "ll-many-experts",
               .description = "hypothetical: groups of one warp, which DeepEP cannot launch",
               .calibrated_as = "deepep-ll-legacy",
               .takes_sms = false,
               .takes_fences = true,
               .takes_split = true,
               .takes_network = true,
               .takes_fold = true,
               .top_k_max = 16,
               .experts_per_sm_max = 32,
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
    FamilyKind{.name = "deepep-normal-legacy",
               .description = "DeepEP normal kernels: rings by channel, one row a host by RDMA",
               .takes_sms = true,
               .takes_fences = false,
               .takes_split = false,
               .takes_network = true,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .random_means = kGroupLimited,
               .constants = &normal_constants,
               .dispatch = &plan_normal_dispatch,
               .combine = &plan_normal_combine},
    FamilyKind{.name = "deepep-normal-v1",
               .description = "the same as DeepEP first published them",
               .takes_sms = true,
               .takes_fences = false,
               .takes_split = false,
               .takes_network = true,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .random_means = kGroupLimited,
               .constants = &normal_constants,
               .dispatch = &plan_normal_dispatch,
               .combine = &plan_normal_combine},
    FamilyKind{.name = "deepep-normal-sglang-0.5.12",
               .description = "the same as others timed them with sglang 0.5.12",
               .takes_sms = true,
               .takes_fences = false,
               .takes_split = false,
               .takes_network = true,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .random_means = kGroupLimited,
               .constants = &normal_constants,
               .dispatch = &plan_normal_dispatch,
               .combine = &plan_normal_combine},
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
    FamilyKind{.name = "trtllm-one-sided-1.3.0rc10",
               .description = "TensorRT-LLM one-sided NVLink exchange: one copy a (token, rank)",
               .takes_sms = false,
               .takes_fences = false,
               .takes_split = false,
               .takes_nvfp4 = true,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .random_means = "balanced",
               .constants = &one_sided_constants,
               .dispatch = &plan_one_sided_dispatch,
               .combine = &plan_one_sided_combine},
    FamilyKind{.name = "hybrid-ep",
               .description = "Hybrid-EP kernels: one row a (token, host) by RDMA, NVLink inside",
               .takes_sms = true,
               .takes_fences = false,
               .takes_split = false,
               .takes_network = true,
               .top_k_max = 64,
               .experts_per_sm_max = 1024,
               .constants = &hybrid_constants,
               .dispatch = &plan_hybrid_dispatch,
               .combine = &plan_hybrid_combine},
};

}  // namespace

std::span<const std::string_view> dispatch_formats(const FamilyKind& kind) {
  static_assert(static_cast<std::size_t>(DispatchFormat::nvfp4) + 1 == kDispatchFormatNames.size());
  return std::span(kDispatchFormatNames).first(kDispatchFormatNames.size() - !kind.takes_nvfp4);
}

std::span<const FamilyKind> kernel_families() {
  return kFamilies;
}

const FamilyKind* find_family(std::string_view name) {
  for (const FamilyKind& kind : kFamilies)
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace epsim
