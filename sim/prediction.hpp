// Prediction: one operation of a workload, planned and executed. The one way from a question to a
// latency; the command line, fits and validation all take it.
#pragma once

#include "models/calibration.hpp"
#include "models/kernel_families.hpp"
#include "models/workload.hpp"
#include "sim/execute.hpp"

namespace epsim {

struct Prediction {
  MoeOperation operation;
  Plan plan;
  Timeline timeline;
  Duration latency;  // aligned: last rank's start to last rank's end
};

[[nodiscard]] Prediction predict(MoeOperation operation,
                                 const Workload& workload,
                                 const FamilyKind& kind,
                                 const ConstantSet& hardware,
                                 const ConstantSet& family,
                                 const ExecuteOptions& options = {});

// What its sources would state of it: the latency, or a mean over ranks (FamilyKind::states_means).
[[nodiscard]] Duration stated_latency(const Prediction& prediction, const FamilyKind& kind);

// The interval that a fit's residuals and its covariance leave around a latency: p10 to p90 of what
// a further measurement should give.
inline constexpr int kIntervalPercent = 80;
inline constexpr double kIntervalReach = 1.2816;  // sigmas to each side that hold so much
struct LatencyInterval {
  double low_us;
  double high_us;
};
[[nodiscard]] LatencyInterval interval_of(const Prediction& prediction,
                                          const Workload& workload,
                                          const Calibration& calibration,
                                          const KernelFamily& family);

// Of the logarithm of a latency, by the fit's residuals alone. Outside the fitted shapes they grow
// by half. A judgement, set before it was checked: against a rebuilt kernel the rms error was 3.6 %
// at the fitted hidden size, experts, top-k, ranks and routing, and 5.6 % elsewhere, 1.55 times as
// much.
[[nodiscard]] double residual_sigma(const Workload& workload, const KernelFamily& family);

// Whether the workload lies within the shapes that the family was fitted on.
[[nodiscard]] bool in_range(const Workload& workload, const KernelFamily& family);

}  // namespace epsim
