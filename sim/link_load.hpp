// LinkLoad: how busy a link was, bin by bin, for a counter track.
#pragma once

#include <vector>

#include "sim/timeline.hpp"

namespace epsim {

struct LinkLoad {
  struct Sample {
    Instant at;    // from here until the next sample
    int busy_pct;  // rounded
  };
  LinkId link;
  std::vector<Sample> samples;  // where the value changes; the last one is 0
};

// The links that were used, in order of their ids. A bin lasts `grain`, or a multiple of it where a
// run is so long that there would be more than a few thousand.
[[nodiscard]] std::vector<LinkLoad> link_loads(const Timeline& timeline, Duration grain);

}  // namespace epsim
