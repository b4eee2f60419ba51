// Internode normal dispatch and combine, in the protocol of DeepEP's legacy normal kernels: a token
// crosses the network once for each host that it goes to, between GPUs of the same place in their
// hosts, and goes on by NVLink. Where all ranks share NVLink, the kernels are the intranode ones.
#pragma once

#include <cstdint>
#include <span>

#include "models/constants.hpp"
#include "models/intranode.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

// How rows flow through the two kinds of rings that a channel has.
struct InternodeRings {
  RingShape nvlink;
  RingShape rdma;
};
// DeepEP's default configuration by rank count (deep_ep/buffer.py, get_dispatch_config and
// get_combine_config): that of the next smaller count where there is none.
[[nodiscard]] InternodeRings internode_dispatch_rings(std::uint32_t ranks);
[[nodiscard]] InternodeRings internode_combine_rings(std::uint32_t ranks);

// Those of the intranode kernels, and what the way over the network adds.
[[nodiscard]] std::span<const ConstantSpec> normal_constants();

// Throw InputError when ranks lie on several hosts but not in equal numbers, or when `hardware` has
// no network.
[[nodiscard]] Plan plan_normal_dispatch(const Workload& workload,
                                        const ConstantSet& hardware,
                                        const ConstantSet& family);
[[nodiscard]] Plan plan_normal_combine(const Workload& workload,
                                       const ConstantSet& hardware,
                                       const ConstantSet& family);

}  // namespace epsim
