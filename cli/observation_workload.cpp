#include "cli/observation_workload.hpp"

#include <fmt/format.h>

#include "calibrate/observed_traffic.hpp"
#include "sim/base/input_error.hpp"

namespace epsim {

Workload workload_of(const Observation& observation,
                     const ObservationSet& set,
                     const FamilyKind& kind,
                     const std::shared_ptr<const Topology>& topology) {
  const auto fail = [&](const std::string& what) {
    throw InputError(set.file, observation.id, what);
  };
  if (observation.ranks > topology->gpu_count())
    fail(fmt::format("expected at most the {} GPUs of {}, found {} ranks",
                     topology->gpu_count(),
                     topology->name(),
                     observation.ranks));
  if (observation.experts % observation.ranks != 0)
    fail(fmt::format(
        "{} experts are not a multiple of {} ranks", observation.experts, observation.ranks));
  if (observation.hidden % 128 != 0) fail("hidden is not a multiple of 128 channels");
  const auto sm_count = static_cast<std::uint32_t>(topology->gpu_spec().sm_count);
  if (observation.experts > kind.experts_per_sm_max * sm_count)
    fail(fmt::format("more experts than {} places on {} SMs", kind.name, sm_count));
  if (kind.takes_sms && (observation.sms < 2 || observation.sms % 2 != 0))
    fail(fmt::format("{} needs an even number of sms", kind.name));
  const bool is_persistent = observation.exchange.copy == ExchangeCopy::persistent;
  if (kind.takes_exchange && is_persistent != (observation.sms > 0))
    fail("the persistent copy kernel needs sms, and the byte kernel has none");

  Workload workload;
  workload.routing = std::make_shared<const Routing>(routing_of(observation, set, kind));
  workload.placement = std::make_shared<const ExpertPlacement>(
      ExpertPlacement::contiguous({.ranks = observation.ranks, .experts = observation.experts}));
  workload.traffic = std::make_shared<const TrafficMatrix>(*workload.routing, *workload.placement);
  workload.topology = topology;
  workload.hidden = observation.hidden;
  workload.dispatch_format = observation.dispatch_format;
  workload.combine_format = observation.combine_format;
  workload.fence = observation.fence;
  workload.sms = observation.sms;
  workload.exchange = observation.exchange;
  workload.split = {.split = observation.part != SplitPart::whole, .part = observation.part};
  workload.rank_start.assign(observation.ranks, Duration{});
  return workload;
}

}  // namespace epsim
