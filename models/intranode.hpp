// Intranode normal dispatch and combine, in the protocol of DeepEP's intranode kernels (v1.2.1):
// pairs of CTAs form channels; in each, every (source, target) pair has a ring of rows in the
// receiver's memory with a head and a tail. A token goes once to each rank that hosts any of its
// experts.
#pragma once

#include <cstdint>
#include <span>

#include "models/constants.hpp"
#include "models/plan.hpp"
#include "models/workload.hpp"

namespace epsim {

// How rows flow through one ring.
struct RingShape {
  std::uint32_t chunk;  // rows written before the tail moves
  std::uint32_t queue;  // rows that the ring holds
};
// DeepEP's default configuration by rank count: 2, 4 and 8 as published, the next smaller
// otherwise.
[[nodiscard]] RingShape dispatch_ring(std::uint32_t ranks);
[[nodiscard]] RingShape combine_ring(std::uint32_t ranks);

[[nodiscard]] std::span<const ConstantSpec> intranode_constants();

[[nodiscard]] Plan plan_intranode_dispatch(const Workload& workload,
                                           const ConstantSet& hardware,
                                           const ConstantSet& family);
[[nodiscard]] Plan plan_intranode_combine(const Workload& workload,
                                          const ConstantSet& hardware,
                                          const ConstantSet& family);

}  // namespace epsim
