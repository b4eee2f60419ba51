// Hierarchical dispatch and combine over NVLink and RDMA, in the protocol of Hybrid-EP (DeepEP's
// hybrid-ep branch, docs/Hybrid-EP_Implementation.md): few persistent CTAs, chunks of tokens. A
// token crosses the network once for each host, to the GPU of the sender's place there, which hands
// it on by NVLink; on the way back each host adds up its rows before one of them crosses.
#pragma once

#include <cstdint>
#include <span>

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

inline constexpr std::uint32_t kHybridChunk = 64;  // tokens, its default

[[nodiscard]] std::span<const ConstantSpec> hybrid_constants();

// The exchange itself: what gathers the routing of all ranks before it is not part of it.
[[nodiscard]] Plan plan_hybrid_dispatch(const Workload& workload,
                                        const ConstantSet& hardware,
                                        const ConstantSet& family);
[[nodiscard]] Plan plan_hybrid_combine(const Workload& workload,
                                       const ConstantSet& hardware,
                                       const ConstantSet& family);

}  // namespace epsim
