// LitmusBarriers: which arrivals of one combination of runs meet at one barrier, whether it opens,
// and who can have opened it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/litmus/litmus_causality.hpp"

namespace epsim {

// A named barrier with a quorum opens with the first `quorum` arrivals, whichever they are: those
// come before everybody who waits there, and who comes later passes. Without a quorum all come
// before all. A thread that comes again comes to the next use of the barrier.
struct LitmusMeeting {
  std::vector<std::uint32_t> arrivals;  // events
  std::size_t openers = 0;              // how many of them; all if there is no quorum
};

// Nothing if a barrier never opens, so that some thread waits for ever.
[[nodiscard]] std::optional<std::vector<LitmusMeeting>> litmus_meetings(
    const LitmusTest& test, const std::vector<LitmusEvent>& events);

// The edges if `openers` opened the meeting: from each of them to everyone who waited.
void add_meeting_edges(const LitmusTest& test,
                       const std::vector<LitmusEvent>& events,
                       const LitmusMeeting& meeting,
                       const std::vector<std::uint32_t>& openers,
                       std::vector<LitmusEdge>& edges);

}  // namespace epsim
