// Stream edges: which recorded kernel waited for which of another stream.
//
// A few dumps tell it. Most say only that the host recorded an event and made a stream wait, not
// which event and which stream: then an edge is inferred where the times show it, or where the wait
// stands directly before a launch, and never where the times forbid it.
#pragma once

#include <cstdint>
#include <vector>

#include "models/launch_order.hpp"
#include "models/step_split.hpp"
#include "traces/gpu_trace.hpp"

namespace epsim {

struct StreamEdge {
  std::uint32_t producer = 0, consumer = 0;  // places in the launch order
  bool is_told = false;
};

struct StreamEdges {
  std::vector<StreamEdge> edges;  // by consumer; none that others imply
  // Places in the launch order before which the host made some stream wait and no edge came of it:
  // the stream ran nothing then, or nothing tells which it was.
  std::vector<std::uint32_t> unknown;
  // Of told edges whose producer ends after its consumer starts; left out.
  std::vector<std::uint32_t> contradicted;
};

[[nodiscard]] StreamEdges stream_edges(const GpuTrace& trace,
                                       std::uint32_t device,
                                       const std::vector<QueuedActivity>& order,
                                       const StepSplit& split);

}  // namespace epsim
