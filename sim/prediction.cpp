#include "sim/prediction.hpp"

#include <cmath>

#include <fmt/format.h>

#include "models/network_constants.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {
namespace {

constexpr double kFarther = 1.5;                // of residuals outside the fitted shapes
constexpr std::uint64_t kSlowPlan = 1'000'000;  // events beyond which the covariance is left out
constexpr double kStep = 0.05;                  // of a constant's logarithm

bool within(std::int64_t value, std::int64_t low, std::int64_t high) {
  return value >= low && value <= high;
}

// Scenarios are refused earlier, at their place in the file; records of observations here.
void check_reach(const Workload& workload, const FamilyKind& kind, const ConstantSet& hardware) {
  bool is_one_domain = true;
  for (std::uint32_t r = 1; r < workload.rank_count(); ++r)
    is_one_domain = is_one_domain && workload.share_nvlink(0, r);
  const bool posts = !is_one_domain || (kind.needs_network && workload.rank_count() > 1);
  if (!posts) return;
  const std::string& system = workload.topology->name();
  if (!kind.takes_network)
    throw InputError(
        system,
        "",
        fmt::format("ranks lie in several NVLink domains, which {} cannot join", kind.name));
  if (!workload.topology->has_network())
    throw InputError(
        system, "", fmt::format("{} posts to NICs, of which there are none", kind.name));
  if (!has_network(hardware))
    throw InputError(
        system,
        "",
        fmt::format("{} posts to NICs; expected network constants, found none", kind.name));
}

}  // namespace

Prediction predict(MoeOperation operation,
                   const Workload& workload,
                   const FamilyKind& kind,
                   const ConstantSet& hardware,
                   const ConstantSet& family,
                   const ExecuteOptions& options) {
  check_reach(workload, kind, hardware);
  const auto make_plan = operation == MoeOperation::dispatch ? kind.dispatch : kind.combine;
  Prediction prediction{.operation = operation,
                        .plan = make_plan(workload, hardware, family),
                        .timeline = {},
                        .latency = {}};
  ExecuteOptions chosen = options;
  chosen.fluid_fabric = workload.fluid_fabric;
  prediction.timeline = execute(prediction.plan, *workload.topology, chosen);
  if (workload.split.part == SplitPart::whole) {
    prediction.latency = prediction.timeline.aligned_latency(prediction.plan);
  } else {
    const auto name = [](const auto& names, auto index) {
      return std::string(names[static_cast<std::size_t>(index)]);
    };
    prediction.latency = prediction.timeline.aligned_latency(
        prediction.plan,
        name(kMoeOperationNames, operation) + " " + name(kSplitPartNames, workload.split.part));
  }
  return prediction;
}

Duration stated_latency(const Prediction& prediction, const FamilyKind& kind) {
  return kind.states_means ? prediction.timeline.mean_latency(prediction.plan) : prediction.latency;
}

LatencyInterval interval_of(const Prediction& prediction,
                            const Workload& workload,
                            const Calibration& calibration,
                            const KernelFamily& family) {
  const FamilyKind& kind = *find_family(family.name);
  const double latency_us = to_us(prediction.latency);
  const double sigma = residual_sigma(workload, family);
  double variance = sigma * sigma;
  const auto& names = family.fit.fitted;
  // Of a fold too: who asks for thousands of ranks wants an answer in a second.
  if (prediction.timeline.event_count < kSlowPlan && workload.fold.planned == 0) {
    // J C J^T with the derivatives of log latency by log constant.
    std::vector<double> slope;
    for (const std::string& name : names) {
      const bool is_family = family.constants.contains(name);
      const ConstantSet& home = is_family ? family.constants : calibration.hardware;
      const ConstantSet moved = home.with(name, home.at(name).value * std::exp(kStep));
      const Prediction other = predict(prediction.operation,
                                       workload,
                                       kind,
                                       is_family ? calibration.hardware : moved,
                                       is_family ? moved : family.constants);
      slope.push_back(std::log(to_us(other.latency) / latency_us) / kStep);
    }
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t j = 0; j < names.size(); ++j)
        variance += slope[i] * family.fit.covariance[i][j] * slope[j];
  }
  const double reach = kIntervalReach * std::sqrt(variance);
  return {latency_us * std::exp(-reach), latency_us * std::exp(reach)};
}

double residual_sigma(const Workload& workload, const KernelFamily& family) {
  return family.fit.residual_sigma * (in_range(workload, family) ? 1.0 : kFarther);
}

bool in_range(const Workload& workload, const KernelFamily& family) {
  const CalibratedRange& range = family.range;
  for (std::uint32_t r = 0; r < workload.planned_ranks(); ++r)
    if (!within(workload.routing->token_count(RankId{r}), range.tokens_min, range.tokens_max))
      return false;
  return within(workload.hidden, range.hidden_min, range.hidden_max) &&
         within(workload.expert_count(), range.experts_min, range.experts_max) &&
         within(workload.top_k(), range.top_k_min, range.top_k_max) &&
         within(workload.rank_count(), range.ranks_min, range.ranks_max);
}

}  // namespace epsim
