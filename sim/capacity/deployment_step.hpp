// deployment_step: what a deployment's step takes: a bound that needs no simulation, and the step
// played by the engine.
#pragma once

#include <cstdint>
#include <vector>

#include "models/deployment.hpp"
#include "models/expert_load.hpp"
#include "models/measured_stages.hpp"
#include "models/model_description.hpp"
#include "models/model_layers.hpp"
#include "sim/capacity/capacity_plan.hpp"
#include "sim/capacity/exchange_times.hpp"
#include "sim/capacity/serving_system.hpp"

namespace epsim {

// What all deployments of a question share.
struct ServingQuestion {
  const CapacityQuestion& question;
  const ServingSystem& system;
  ExpertShares shares;  // of a layer's load, one an expert
  StageTimes measured;  // empty: by the laws alone
};

// A deployment with what follows from it.
struct DeploymentWork {
  Deployment deployment;
  double imbalance = 1;       // of ranks: the busiest over the mean
  ExchangeQuestion exchange;  // of one micro-batch; ranks 1: there is none
  LayerWork layer;            // without exchanges
  std::int64_t steps = 1;     // that a prompt takes (prefill)
};

[[nodiscard]] DeploymentWork deployment_work(const ServingQuestion& serving,
                                             const Deployment& deployment);

// Compute of one layer and one micro-batch of so many tokens, by the laws alone.
[[nodiscard]] MoeStep layer_alone(const ServingQuestion& serving,
                                  Deployment deployment,
                                  std::int64_t tokens,
                                  std::int64_t context);

// Latency and tokens a second and GPU that the deployment cannot beat: compute alone, or the least
// time of its exchanges, whichever is more; both, where nothing overlaps.
struct DeploymentBound {
  double latency_ms = 0, tokens_per_s_per_gpu = 0;
};
[[nodiscard]] DeploymentBound deployment_bound(const ServingQuestion& serving,
                                               const DeploymentWork& work,
                                               const ExchangeTimes& exchanges);

// The same where the exchange's times are known.
[[nodiscard]] DeploymentBound exchange_bound(const ServingQuestion& serving,
                                             const DeploymentWork& work,
                                             ExchangeTimes& exchanges);

// All of the result but memory and what depends on other results. Threads may ask at once.
[[nodiscard]] DeploymentResult simulate_deployment(const ServingQuestion& serving,
                                                   const DeploymentWork& work,
                                                   ExchangeTimes& exchanges);

}  // namespace epsim
