// Combine times: what the steps of a low-latency combine take for one workload.
#pragma once

#include "models/constants.hpp"
#include "models/workload.hpp"

namespace epsim {

struct CombineTimes {
  Duration start, finish, grid_sync, cta_barrier, publish;
  Duration row, reduce_setup, load, decode, store, generic_trip;
  double home_drains;
};

[[nodiscard]] CombineTimes combine_times(const Workload& workload,
                                         const ConstantSet& hardware,
                                         const ConstantSet& family);

// 2 KB blocks (32 lanes x four 16-byte vectors) in which the send pipeline cuts a row.
[[nodiscard]] std::int64_t combine_blocks(const Workload& workload);

// Bytes that the receive phase of the busiest rank reads and writes: every row once, every token
// once.
[[nodiscard]] Bytes combine_footprint(const Workload& workload);

}  // namespace epsim
