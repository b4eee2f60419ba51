// fence_deltas: what a fence placement costs, predicted against measured. The difference of two
// latencies of one shape, with and without, says more than either: everything else cancels.
#pragma once

#include <string>
#include <vector>

#include "calibrate/observation.hpp"
#include "calibrate/validate.hpp"

namespace epsim {

struct FenceDelta {
  std::string id;  // of the record with fences
  FencePlacement fence = FencePlacement::P0;
  SplitPart part = SplitPart::whole;
  double measured_us = 0;  // with fences less without
  double predicted_us = 0;
  bool held_out = false;

  // A microsecond of error, or a fifth of the delta where that is more.
  [[nodiscard]] bool is_close() const;
};

// records[i] is the validation of observations[i]. Records with a fence and no twin without one are
// left out.
[[nodiscard]] std::vector<FenceDelta> fence_deltas(const std::vector<Observation>& observations,
                                                   const std::vector<ValidationRecord>& records);
// A line a placement; empty without deltas.
[[nodiscard]] std::string fence_deltas_text(const std::vector<FenceDelta>& deltas);

}  // namespace epsim
