// search_space: the deployments that a question leaves open, in one order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/deployment.hpp"
#include "sim/capacity/capacity_plan.hpp"
#include "sim/capacity/serving_system.hpp"

namespace epsim {

struct SearchSpace {
  std::vector<Deployment> deployments;
  std::uint64_t impossible = 0;  // that the kernels' own limits or the machine's sizes forbid
  std::string why_impossible;    // of one of them
  std::vector<std::string> notes;
};

// Axes: ranks, attention ranks, redundant experts, kernel, its SMs, micro-batching, batch; the last
// changes fastest. `is_skewed`: experts' loads differ, so that copies may pay. Throws InputError
// for a limit that no deployment can meet.
[[nodiscard]] SearchSpace search_space(const CapacityQuestion& question,
                                       const ServingSystem& system,
                                       bool is_skewed);

// What is tried of itself where the question does not limit it.
[[nodiscard]] std::vector<std::int64_t> usual_batches(const CapacityQuestion& question);

}  // namespace epsim
