// Low-latency dispatch and combine, in the protocol of DeepEP's internode_ll kernels (v1.2.1):
// every (source rank, expert) pair has one owner, so that no count is exchanged and no rank waits
// for more than its messages.
#pragma once

#include <cstdint>
#include <span>

#include "models/calibration.hpp"
#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

// How the kernels cut themselves for E experts on a GPU with so many SMs.
struct LowLatencyLaunch {
  std::uint32_t groups_per_cta;   // warp groups in a CTA; each owns one expert
  std::uint32_t warps_per_group;  // of 32 warps a CTA
  std::uint32_t cta_count;
};
[[nodiscard]] LowLatencyLaunch dispatch_launch(std::uint32_t experts, std::uint32_t sm_count);
[[nodiscard]] LowLatencyLaunch combine_launch(std::uint32_t experts,
                                              std::uint32_t sm_count,
                                              std::uint32_t tokens);

// Implementation constants of the family: what a fit or a reading must give.
[[nodiscard]] std::span<const ConstantSpec> low_latency_constants();

// The same without what cleaning costs: epsim's own kernels tag their signals with a generation.
[[nodiscard]] std::span<const ConstantSpec> tagged_low_latency_constants();

// To ranks of other NVLink domains the kernels write through the NIC; see low_latency_paths.hpp.
[[nodiscard]] Plan plan_low_latency_dispatch(const Workload& workload,
                                             const ConstantSet& hardware,
                                             const ConstantSet& family);
[[nodiscard]] Plan plan_tagged_low_latency_dispatch(const Workload& workload,
                                                    const ConstantSet& hardware,
                                                    const ConstantSet& family);
[[nodiscard]] Plan plan_low_latency_combine(const Workload& workload,
                                            const ConstantSet& hardware,
                                            const ConstantSet& family);

// The same where every other rank is reached through the NIC, NVLink or not.
[[nodiscard]] Plan plan_rdma_low_latency_dispatch(const Workload& workload,
                                                  const ConstantSet& hardware,
                                                  const ConstantSet& family);
[[nodiscard]] Plan plan_rdma_low_latency_combine(const Workload& workload,
                                                 const ConstantSet& hardware,
                                                 const ConstantSet& family);

}  // namespace epsim
