// capacity_words: deployments and decisions in words.
#pragma once

#include <string>

#include "sim/capacity/capacity_plan.hpp"

namespace epsim {

// "EP 144, DP 144 x TP 1, batch 64, two micro-batches, deepep-ll-v1"
[[nodiscard]] std::string deployment_words(const Deployment& deployment);
// Why nothing fits: the deployment that needs the least memory. `can_spread`: with more GPUs more
// ranks could share the experts.
[[nodiscard]] std::string memory_refusal(const Deployment& least,
                                         const MemoryUse& memory,
                                         bool can_spread);
// Why nothing meets the SLO, and what comes nearest.
[[nodiscard]] std::string slo_refusal(const CapacityPlan& plan);
// Why the recommended deployment.
[[nodiscard]] std::string recommendation(const CapacityPlan& plan);

}  // namespace epsim
