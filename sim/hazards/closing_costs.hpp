// ClosingCosts: the cheapest fence placement that closes an edge of an operation, and what it adds
// to what the operation takes as it is.
#pragma once

#include <optional>
#include <vector>

#include "sim/hazards/placement_table.hpp"

namespace epsim {

struct Closing {
  FenceChoice fence;
  Duration cost{};  // beyond the operation as asked for
};

class ClosingCosts {
 public:
  // `question.workload` has the placement that the costs are counted from.
  ClosingCosts(const PlacementQuestion& question, bool lenient);

  // Only placements that leave closed what is closed now; none if no placement closes the edge.
  [[nodiscard]] std::optional<Closing> closing(FenceEdge edge);

 private:
  struct Candidate {
    FenceChoice fence;
    Duration latency{};
    std::optional<OpenEdges> open;  // once it was checked
  };

  const OpenEdges& open_edges_of(Candidate& candidate) const;

  PlacementQuestion question_;
  bool lenient_;
  Candidate now_;
  std::vector<Candidate> candidates_;  // cheapest first
};

}  // namespace epsim
