// The experiments, one namespace each: where it samples, and how it opens. See
// calibrate/experiment.hpp.
#pragma once

#include <vector>

#include "calibrate/experiment.hpp"

namespace epsim {

#define EPSIM_EXPERIMENT(name)         \
  namespace name {                     \
  std::vector<Point> points(int gpus); \
  Bench open(Lab& lab);                \
  }

EPSIM_EXPERIMENT(launch_cost)         // M1
EPSIM_EXPERIMENT(event_hop)           // M2
EPSIM_EXPERIMENT(stream_memops)       // M3
EPSIM_EXPERIMENT(flag_ping_pong)      // M4
EPSIM_EXPERIMENT(peer_store)          // M5
EPSIM_EXPERIMENT(peer_load)           // M6
EPSIM_EXPERIMENT(message_release)     // M7
EPSIM_EXPERIMENT(fence_cost)          // M8
EPSIM_EXPERIMENT(proxy_fence_cost)    // M9
EPSIM_EXPERIMENT(combine_ring)        // M10
EPSIM_EXPERIMENT(ring_reuse)          // M11
EPSIM_EXPERIMENT(bulk_load)           // M12
EPSIM_EXPERIMENT(combine_send)        // M13
EPSIM_EXPERIMENT(cast_and_scan)       // M14
EPSIM_EXPERIMENT(barriers)            // M15
EPSIM_EXPERIMENT(rank_barriers)       // M16
EPSIM_EXPERIMENT(sm_split)            // M17
EPSIM_EXPERIMENT(low_latency)         // M18
EPSIM_EXPERIMENT(graph_exchange)      // M19
EPSIM_EXPERIMENT(two_batch_overlap)   // M20
EPSIM_EXPERIMENT(kv_gather)           // M21
EPSIM_EXPERIMENT(ep_scatter)          // M22
EPSIM_EXPERIMENT(crowded_residency)   // M23
EPSIM_EXPERIMENT(clock_under_load)    // M24
EPSIM_EXPERIMENT(elementwise_beside)  // M25
EPSIM_EXPERIMENT(gemm_beside)         // M26

#undef EPSIM_EXPERIMENT

}  // namespace epsim
