// CapacityPlan: the answer to a deployment question: which ways of serving a model there are, what
// each gives at which latency, and which to take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/deployment.hpp"
#include "models/measured_stages.hpp"
#include "models/model_description.hpp"
#include "sim/base/units.hpp"

namespace epsim {

// Of one rank.
struct MemoryUse {
  double weights = 0, cache = 0, buffers = 0, activations = 0;  // bytes
  double capacity = 0;                                          // that may be used
  double buffers_needed = 0;  // of `buffers`: rows that arrive when load is even
  [[nodiscard]] double total() const { return weights + cache + buffers + activations; }
  [[nodiscard]] bool fits() const { return total() <= capacity; }
};

// Values that an axis may take; empty: what the planner tries of itself.
struct SearchLimits {
  std::vector<std::int64_t> ranks, attention_ranks, batches, sms, redundant_experts;
  std::vector<std::string> kernels;
  std::vector<MicroBatching> micro_batching;
};

struct CapacityQuestion {
  ModelDescription model;
  std::string system;      // a calibration's name or file
  std::string topology;    // a preset's name or file; empty: the one that was calibrated
  std::uint32_t gpus = 0;  // that there are
  ServingPhase phase = ServingPhase::decode;
  ServedLengths lengths;
  std::optional<double> slo_ms;    // prefill: time to first token; decode: time per output token
  std::string routing = "random";  // of the load on experts
  double memory_share = 0.9;       // of the GPU's memory that may be used
  SearchLimits limits;
  StageTimes measured;  // of compute, where the user has any
  std::uint64_t seed = 0;
};

// What limits a step: who holds the compute stream or keeps it waiting the longest.
struct StepPart {
  std::string name;  // "experts", "attention", "exposed communication", "memory of weights"
  double share = 0;  // of the step
};

struct DeploymentResult {
  Deployment deployment;
  double step_us = 0, step_low_us = 0, step_high_us = 0;
  double latency_ms = 0, latency_low_ms = 0, latency_high_ms = 0;  // TTFT or TPOT
  double tokens_per_s_per_gpu = 0;
  double throughput_low = 0, throughput_high = 0;
  double compute_us = 0, communication_us = 0, exposed_us = 0, overlap_pct = 0;
  double dispatch_us = 0, combine_us = 0;  // of one micro-batch and layer, alone
  double expert_imbalance = 1;             // of ranks
  std::vector<StepPart> parts;             // the largest first; the first is the bottleneck
  MemoryUse memory;
  bool meets_slo = true;
  std::vector<std::string> beyond_range;  // "ranks 144, calibrated for 16"
};

// Why deployments that were thought of were not simulated.
struct SearchCounts {
  std::uint64_t enumerated = 0;
  std::uint64_t impossible = 0;  // by the kernels' own limits
  std::uint64_t too_large = 0;   // for memory
  std::uint64_t too_slow = 0;    // for the SLO, by a bound that no simulation can beat
  std::uint64_t dominated = 0;   // by one that was simulated, by the same bound
  std::uint64_t simulated = 0;
};

// From which batch on two micro-batches give more than one, all else equal.
struct TwoBatchVerdict {
  std::optional<std::int64_t> pays_from;  // empty: at none of the batches tried
  std::vector<std::int64_t> batches;      // tried, all else as in the recommended deployment
  std::vector<double> gain_pct;           // of throughput, one a batch
};

struct CapacityPlan {
  CapacityQuestion question;
  std::string topology;
  std::string gpu;
  SearchCounts counts;
  std::vector<DeploymentResult> results;  // simulated, in the order of enumeration
  std::vector<std::size_t> pareto;        // indices, by rising latency
  std::optional<std::size_t> recommended;
  std::string reason;  // of the recommendation, or of the refusal
  // Where nothing meets the SLO: the result that comes nearest, if there is any at all.
  std::optional<std::size_t> nearest;
  TwoBatchVerdict two_batch;
  std::vector<std::string> notes;  // what was assumed or carried over
};

// Throws InputError for a question that cannot be asked.
[[nodiscard]] CapacityPlan plan_capacity(const CapacityQuestion& question, std::size_t jobs);

[[nodiscard]] std::string capacity_text(const CapacityPlan& plan);
[[nodiscard]] std::string capacity_json(const CapacityPlan& plan);  // epsim.capacity/1

}  // namespace epsim
