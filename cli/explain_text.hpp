// Explain text: a plan in words. Who takes part, what each does how often, and what limits them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "models/bounds.hpp"
#include "models/plan.hpp"
#include "sim/base/json_writer.hpp"
#include "sim/critical_path.hpp"
#include "sim/prediction.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// All agents of one kernel name and role, over all ranks.
struct RoleSummary {
  std::string kernel;
  Role role;
  std::size_t agents = 0;
  std::array<std::size_t, kOpKindNames.size()> operations{};  // by OpKind
  Bytes moved{};                                              // by put, post, serve and load
};

[[nodiscard]] std::vector<RoleSummary> summarize_roles(const Plan& plan);

[[nodiscard]] std::string explain_text(const Prediction& prediction, const Topology& topology);
void write_explanation(const Prediction& prediction, const Topology& topology, JsonWriter& writer);

}  // namespace epsim
