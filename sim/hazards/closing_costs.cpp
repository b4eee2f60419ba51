#include "sim/hazards/closing_costs.hpp"

#include <algorithm>

#include "sim/hazards/happens_before.hpp"
#include "sim/hazards/plan_program.hpp"

namespace epsim {

ClosingCosts::ClosingCosts(const PlacementQuestion& question, bool lenient)
    : question_(question), lenient_(lenient) {
  const Calibration& calibration = question_.calibration;
  const auto latency = [&](const FenceChoice& fence) {
    const Workload workload = with_fence(question_.workload, question_.operation, fence);
    return predict(question_.operation,
                   workload,
                   question_.kind,
                   calibration.hardware,
                   calibration.family(question_.kind.name).constants)
        .latency;
  };
  now_.fence = chosen_fence(question_.workload, question_.operation);
  now_.latency = latency(now_.fence);
  for (const FenceChoice& fence : possible_placements(question_.kind, question_.operation))
    candidates_.push_back({fence, latency(fence), std::nullopt});
  std::stable_sort(candidates_.begin(),
                   candidates_.end(),
                   [](const Candidate& a, const Candidate& b) { return a.latency < b.latency; });
}

std::optional<Closing> ClosingCosts::closing(FenceEdge edge) {
  const auto wanted = static_cast<std::size_t>(edge);
  const OpenEdges open_now = open_edges_of(now_);
  for (Candidate& candidate : candidates_) {
    const OpenEdges& open = open_edges_of(candidate);
    bool closes = !open[wanted];
    for (std::size_t e = 0; e < open.size(); ++e) closes = closes && (open_now[e] || !open[e]);
    if (closes) return Closing{candidate.fence, candidate.latency - now_.latency};
  }
  return std::nullopt;
}

const OpenEdges& ClosingCosts::open_edges_of(Candidate& candidate) const {
  if (!candidate.open) {
    const Plan plan = recorded_plan(question_, candidate.fence);
    const SyncProgram program = plan_sync_program(plan);
    candidate.open = open_edges(program, find_hazards(program, {.lenient = lenient_}));
  }
  return *candidate.open;
}

}  // namespace epsim
