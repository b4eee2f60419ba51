// Collective waits: how long each rank waited inside communication kernels for the last rank to
// arrive, from the traces of several ranks.
//
// The n-th kernel of a name on one rank and the n-th of that name on the others are taken to be one
// collective. It can end on no rank before the last has begun, so what passed on a rank until then
// was waiting.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "traces/gpu_trace.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

// A rank's trace, with what to add to its times to have them on the clock of the first.
struct AlignedTrace {
  const GpuTrace* trace = nullptr;
  std::span<const KernelRole> roles;  // one an activity
  Duration offset{};
};

struct RankWait {
  Duration waiting{};      // sum over collectives
  std::uint64_t last = 0;  // collectives that began last here
};

struct CollectiveWaits {
  std::vector<RankWait> ranks;  // in the order of the traces
  std::uint64_t collectives = 0;
  // Communication kernels without a partner on every rank, on all ranks together.
  std::uint64_t unmatched = 0;
};

[[nodiscard]] CollectiveWaits collective_waits(std::span<const AlignedTrace> traces);

}  // namespace epsim
