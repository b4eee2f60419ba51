#include "sim/hazards/check_scenario.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "sim/hazards/closing_costs.hpp"
#include "sim/hazards/placement_table.hpp"
#include "sim/hazards/plan_program.hpp"
#include "sim/hazards/race_window.hpp"
#include "sim/protocols/capture.hpp"

namespace epsim {
namespace {

// Operations that a check executes beyond those of the plan as it is, so that the check of a large
// plan stays a matter of seconds: who else is late, and what other placements take.
constexpr std::size_t kExecutedForWindows = 3'000'000;
constexpr std::size_t kExecutedForCosts = 5'000'000;
constexpr std::size_t kMostRuns = 24;

class OperationChecker {
 public:
  OperationChecker(const ScenarioCheck& check, MoeOperation operation)
      : check_(check),
        operation_(operation),
        kind_(*find_family(check.scenario.kernel)),
        plan_(recorded_plan(question(), chosen_fence(check.workload, operation))),
        program_(plan_sync_program(plan_)) {}

  CheckedProgram run() {
    CheckedProgram checked;
    HazardReport& report = checked.report;
    report = find_hazards(program_, check_.options);
    report.name = kMoeOperationNames[static_cast<std::size_t>(operation_)];
    add_windows(report.findings);
    for (Finding& finding : report.findings) {
      const auto edge = fence_edge(program_, finding);
      if (edge) add_closing(finding, *edge);
      checked.pointers.push_back(edge ? fmt::format("/{}/fence", report.name) : "/kernel/family");
    }
    return checked;
  }

 private:
  void add_windows(std::vector<Finding>& findings) const {
    std::vector<RacePair> pairs;
    std::vector<Finding*> of_pair;
    for (Finding& finding : findings) {
      if (finding.first.op >= program_.ops.size() || finding.second.op >= program_.ops.size())
        continue;
      const RacePair pair{program_.ops[finding.first.op].source,
                          program_.ops[finding.second.op].source};
      const std::size_t count = plan_.operations.size();
      if (pair.first >= count || pair.second >= count || pair.first == pair.second) continue;
      pairs.push_back(pair);
      of_pair.push_back(&finding);
    }
    const std::size_t runs =
        kExecutedForWindows / std::max<std::size_t>(1, plan_.operations.size());
    const auto windows = race_windows(
        plan_,
        *check_.workload.topology,
        pairs,
        {.most_runs = std::min(kMostRuns, runs), .fluid_fabric = check_.workload.fluid_fabric});
    for (std::size_t i = 0; i < windows.size(); ++i) {
      if (!windows[i]) continue;
      of_pair[i]->gap_us = windows[i]->gap_us;
      of_pair[i]->least_gap_us = windows[i]->least_gap_us;
    }
  }

  // The cheapest placement that closes the edge and leaves none open that is closed now.
  void add_closing(Finding& finding, FenceEdge edge) {
    const std::size_t choices = possible_placements(kind_, operation_).size();
    if (choices < 2) return;
    if (choices * plan_.operations.size() > kExecutedForCosts) {
      finding.closes += "; --placements tells what it costs in a plan of this size";
      return;
    }
    if (!costs_) costs_.emplace(question(), check_.options.lenient);
    const auto closing = costs_->closing(edge);
    if (!closing) return;
    finding.closes = fmt::format("{} ({}.fence={})",
                                 placement_text(operation_, closing->fence),
                                 kMoeOperationNames[static_cast<std::size_t>(operation_)],
                                 to_text(closing->fence));
    finding.cost_us = to_us(closing->cost);
  }

  [[nodiscard]] PlacementQuestion question() const {
    return {check_.workload, check_.calibration, kind_, operation_};
  }

  const ScenarioCheck& check_;
  MoeOperation operation_;
  const FamilyKind& kind_;
  Plan plan_;
  SyncProgram program_;
  std::optional<ClosingCosts> costs_;
};

}  // namespace

CheckedProgram check_operation(const ScenarioCheck& check, MoeOperation operation) {
  return OperationChecker(check, operation).run();
}

CheckedProgram check_capture(const Scenario& scenario) {
  CheckedProgram checked;
  checked.report.name = "capture into a graph";
  CaptureQuery query = capture_query(scenario);
  query.calls = 2;  // a step of a model has both, whichever of them the scenario is about
  checked.report.findings = capture_findings(query);
  checked.pointers.assign(checked.report.findings.size(), "/kernel");
  return checked;
}

}  // namespace epsim
