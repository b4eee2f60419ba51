// fence_deltas: what a fence placement costs, predicted against measured. The difference of two
// latencies of one shape, with and without, says more than either: everything else cancels.
#pragma once

#include <string>
#include <vector>

#include "calibrate/observation.hpp"
#include "calibrate/validate.hpp"

namespace epsim {

// Whether both records are of one shape, the first with fences and the second without.
[[nodiscard]] bool are_twins(const Observation& fenced, const Observation& plain);

struct FenceDelta {
  std::string id;  // of the record with fences
  FencePlacement fence = FencePlacement::P0;
  SplitPart part = SplitPart::whole;
  double measured_us = 0;  // with fences less without
  double predicted_us = 0;
  ValidationRecord plain;  // the twin without
  bool fitted = false;     // the fit saw the record with fences, or its twin
  bool held_out = false;

  // A microsecond of error, or a fifth of the delta where that is more.
  [[nodiscard]] bool is_close() const;
};

// records[i] is the validation of observations[i]. Records with a fence and no twin without one are
// left out.
[[nodiscard]] std::vector<FenceDelta> fence_deltas(const std::vector<Observation>& observations,
                                                   const std::vector<ValidationRecord>& records);
// A line a delta, with the latency without fences.
[[nodiscard]] std::string fence_table_text(const std::vector<FenceDelta>& deltas);
// epsim.fence_validation/1
void write_fence_table(const std::vector<FenceDelta>& deltas, JsonWriter& writer);
// A line a placement; empty without deltas.
[[nodiscard]] std::string fence_deltas_text(const std::vector<FenceDelta>& deltas);

}  // namespace epsim
