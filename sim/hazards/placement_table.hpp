// Placement table: every place where fences can stand in one operation, what it costs, and which
// edges it closes. Costs come from the engine and edges from the checker; nothing here is a table
// that a person wrote.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/calibration.hpp"
#include "models/fence_placement.hpp"
#include "models/workload.hpp"
#include "sim/hazards/finding.hpp"
#include "sim/hazards/sync_program.hpp"
#include "sim/prediction.hpp"

namespace epsim {

// The crossings into the async proxy that fences of a receive side are for.
enum class FenceEdge : std::uint8_t {
  arrived_row,    // E1: a row in global memory, published by a flag, then read by a bulk copy
  emptied_stage,  // E2: a ring stage in shared memory, read by ordinary loads, then overwritten
};
inline constexpr std::array<std::string_view, 2> kFenceEdgeNames = {"E1", "E2"};

// Which of them a finding is about; none if it is about something else.
[[nodiscard]] std::optional<FenceEdge> fence_edge(const SyncProgram& program,
                                                  const Finding& finding);

// Edges that a report leaves open.
using OpenEdges = std::array<bool, kFenceEdgeNames.size()>;
[[nodiscard]] OpenEdges open_edges(const SyncProgram& program, const HazardReport& report);

enum class Coverage : std::uint8_t { no, lenient, yes, not_needed };
inline constexpr std::array<std::string_view, 4> kCoverageNames = {
    "no", "lenient", "yes", "not needed"};

struct RoleFences {
  Role role;
  std::uint32_t serial;  // one after the other, in its busiest agent
};

struct PlacementRow {
  FenceChoice fence;
  Duration latency{};
  LatencyInterval interval{};
  Duration delta{};  // to P0
  // Of the busiest rank; a fence that several warps of an agent execute counts for each.
  std::uint64_t executions = 0;
  std::vector<RoleFences> serial;
  std::array<Coverage, kFenceEdgeNames.size()> edges{};
  Verdict strict{}, lenient{};
  bool is_cheapest = false;  // of those that are OK in the strict reading

  [[nodiscard]] std::uint32_t most_serial() const;  // of the busiest agent
};

// What is asked of all placements alike.
struct PlacementQuestion {
  const Workload& workload;
  const Calibration& calibration;
  const FamilyKind& kind;
  MoeOperation operation;
};

// The placements that the operation of the family has; empty where there is no choice.
[[nodiscard]] std::vector<FenceChoice> possible_placements(const FamilyKind& kind,
                                                           MoeOperation operation);
[[nodiscard]] Workload with_fence(const Workload& workload,
                                  MoeOperation operation,
                                  const FenceChoice& fence);

[[nodiscard]] FenceChoice chosen_fence(const Workload& workload, MoeOperation operation);
// The plan with the accesses that a checker reads.
[[nodiscard]] Plan recorded_plan(const PlacementQuestion& question, const FenceChoice& fence);

// All of a row but its delta and its mark, which need the other rows.
[[nodiscard]] PlacementRow evaluate_placement(const PlacementQuestion& question,
                                              const FenceChoice& fence);
// Fills in what compares rows. The first row is P0.
void compare_placements(std::vector<PlacementRow>& rows);

struct PlacementTable {
  std::string scenario;
  std::string file;
  MoeOperation operation{};
  FenceChoice chosen;  // by the scenario
  std::vector<PlacementRow> rows;
};

// Where the fences of a placement stand, in words.
[[nodiscard]] std::string placement_text(MoeOperation operation, const FenceChoice& fence);

[[nodiscard]] std::string placements_text(std::span<const PlacementTable> tables);
[[nodiscard]] std::string placements_json(std::span<const PlacementTable> tables);

}  // namespace epsim
