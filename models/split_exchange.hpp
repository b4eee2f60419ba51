// split_exchange: exchanges of a step launched in two halves, as low-latency kernels can be: a
// short kernel that sends, rows in flight that hold no SM, and a short kernel that receives. Two
// micro-batches then hide the flight behind each other's compute.
#pragma once

#include "models/moe_step.hpp"

namespace epsim {

struct SplitTimes {
  Duration send{}, receive{};  // alone; the flight is the rest of the whole exchange's time
};

// Sends and receives run where compute does, flights where exchanges do. Tasks keep their order,
// and whoever needed the exchange needs its receive half.
[[nodiscard]] MoeStep split_exchanges(const MoeStep& step,
                                      const SplitTimes& dispatch,
                                      const SplitTimes& combine);

}  // namespace epsim
