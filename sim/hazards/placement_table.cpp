#include "sim/hazards/placement_table.hpp"

#include <algorithm>

#include "sim/base/check.hpp"
#include "sim/hazards/happens_before.hpp"
#include "sim/hazards/plan_program.hpp"

namespace epsim {
namespace {

// What one end of a finding touches, and through which proxy.
struct Touch {
  bool is_async = false;
  MemorySpace space = MemorySpace::both;  // both: not known
};

Touch touch_of(const SyncProgram& program, const OperationAt& at, bool reads) {
  if (at.op >= program.ops.size()) return {};
  const SyncOp& op = program.ops[at.op];
  const auto space_at = [&](std::uint32_t location) {
    return location < program.locations.size() ? program.locations[location] : MemorySpace::both;
  };
  if (op.kind == SyncOpKind::read || op.kind == SyncOpKind::write)
    return {op.proxy == Proxy::async, space_at(op.target)};
  if (op.kind != SyncOpKind::issue) return {};
  const EngineOp& engine = program.engine_ops[op.target];
  return {true, space_at(reads ? engine.read_from : engine.write_to)};
}

// Fences of one rank or of one agent, by role.
struct FenceCounts {
  std::uint64_t executions = 0;
  std::vector<RoleFences> serial;
};

FenceCounts count_fences(const Plan& plan) {
  std::vector<std::uint64_t> of_rank(plan.rank_count);
  std::array<std::uint32_t, kRoleNames.size()> most{};
  for (const Agent& agent : plan.agents) {
    std::uint32_t own = 0;
    for (const Operation& operation : plan.operations_of(agent)) {
      if (operation.kind != OpKind::fence) continue;
      ++own;
      of_rank[plan.rank_of(agent).index()] += operation.count;
    }
    auto& role = most[static_cast<std::size_t>(agent.role)];
    role = std::max(role, own);
  }
  FenceCounts counts;
  for (const std::uint64_t executed : of_rank)
    counts.executions = std::max(counts.executions, executed);
  for (std::size_t r = 0; r < most.size(); ++r)
    if (most[r] > 0) counts.serial.push_back({static_cast<Role>(r), most[r]});
  return counts;
}

void check_edges(const Plan& plan, PlacementRow& row) {
  const SyncProgram program = plan_sync_program(plan);
  const HazardReport strict = find_hazards(program);
  const auto strict_open = open_edges(program, strict);
  row.strict = row.lenient = strict.verdict();
  auto lenient_open = strict_open;
  // What the strict reading accepts the lenient one does too.
  if (row.strict != Verdict::ok) {
    const HazardReport lenient = find_hazards(program, {.lenient = true});
    row.lenient = lenient.verdict();
    lenient_open = open_edges(program, lenient);
  }
  for (std::size_t e = 0; e < row.edges.size(); ++e)
    row.edges[e] = lenient_open[e]  ? Coverage::no
                   : strict_open[e] ? Coverage::lenient
                                    : Coverage::yes;
}

bool is_closed(Coverage coverage) {
  return coverage == Coverage::yes || coverage == Coverage::not_needed;
}

}  // namespace

OpenEdges open_edges(const SyncProgram& program, const HazardReport& report) {
  OpenEdges open{};
  for (const Finding& finding : report.findings)
    if (const auto edge = fence_edge(program, finding))
      open[static_cast<std::size_t>(*edge)] = true;
  return open;
}

std::optional<FenceEdge> fence_edge(const SyncProgram& program, const Finding& finding) {
  if (finding.kind == HazardKind::stale_read) {
    const Touch read = touch_of(program, finding.second, true);
    if (read.is_async && read.space == MemorySpace::global) return FenceEdge::arrived_row;
  }
  if (finding.kind == HazardKind::overwritten_read ||
      finding.kind == HazardKind::overwritten_write) {
    const Touch write = touch_of(program, finding.second, false);
    if (write.is_async && write.space == MemorySpace::shared) return FenceEdge::emptied_stage;
  }
  return std::nullopt;
}

std::uint32_t PlacementRow::most_serial() const {
  std::uint32_t most = 0;
  for (const RoleFences& role : serial) most = std::max(most, role.serial);
  return most;
}

std::vector<FenceChoice> possible_placements(const FamilyKind& kind, MoeOperation operation) {
  std::vector<FenceChoice> all;
  if (operation == MoeOperation::dispatch)
    for (const FencePlacement placement : kind.dispatch_fences) all.push_back({placement, {}});
  else if (kind.takes_fences)
    for (std::size_t p = 0; p < kFencePlacementNames.size(); ++p)
      all.push_back({static_cast<FencePlacement>(p), {}});
  return all;
}

Workload with_fence(const Workload& workload, MoeOperation operation, const FenceChoice& fence) {
  Workload changed = workload;
  if (operation == MoeOperation::dispatch) {
    changed.dispatch_fence = fence;
  } else {
    changed.fence = fence.placement;
    changed.fence_form = fence.form;
  }
  return changed;
}

FenceChoice chosen_fence(const Workload& workload, MoeOperation operation) {
  if (operation == MoeOperation::dispatch) return workload.dispatch_fence;
  return {workload.fence, workload.fence_form};
}

Plan recorded_plan(const PlacementQuestion& question, const FenceChoice& fence) {
  Workload workload = with_fence(question.workload, question.operation, fence);
  workload.record_accesses = true;
  const bool is_dispatch = question.operation == MoeOperation::dispatch;
  const auto make_plan = is_dispatch ? question.kind.dispatch : question.kind.combine;
  return make_plan(workload,
                   question.calibration.hardware,
                   question.calibration.family(question.kind.name).constants);
}

PlacementRow evaluate_placement(const PlacementQuestion& question, const FenceChoice& fence) {
  const KernelFamily& family = question.calibration.family(question.kind.name);
  Workload workload = with_fence(question.workload, question.operation, fence);
  workload.record_accesses = true;
  const Prediction prediction = predict(
      question.operation, workload, question.kind, question.calibration.hardware, family.constants);
  workload.record_accesses = false;
  const FenceCounts counts = count_fences(prediction.plan);
  PlacementRow row{.fence = fence,
                   .latency = prediction.latency,
                   .interval = interval_of(prediction, workload, question.calibration, family),
                   .executions = counts.executions,
                   .serial = counts.serial};
  check_edges(recorded_plan(question, fence), row);
  if (fence.placement == FencePlacement::P6)  // no bulk copy crosses anything
    for (Coverage& edge : row.edges)
      if (edge == Coverage::yes) edge = Coverage::not_needed;
  return row;
}

void compare_placements(std::vector<PlacementRow>& rows) {
  check(!rows.empty() && rows.front().fence.placement == FencePlacement::P0,
        "placements are compared with none");
  // What is closed without any fence is no crossing of this operation.
  for (std::size_t e = 0; e < kFenceEdgeNames.size(); ++e) {
    if (!is_closed(rows.front().edges[e])) continue;
    for (PlacementRow& row : rows)
      if (is_closed(row.edges[e])) row.edges[e] = Coverage::not_needed;
  }
  PlacementRow* cheapest = nullptr;
  for (PlacementRow& row : rows) {
    row.delta = row.latency - rows.front().latency;
    if (row.strict != Verdict::ok) continue;
    const auto cost = [](const PlacementRow& of) { return std::pair(of.latency, of.executions); };
    if (cheapest == nullptr || cost(row) < cost(*cheapest)) cheapest = &row;
  }
  if (cheapest != nullptr) cheapest->is_cheapest = true;
}

}  // namespace epsim
