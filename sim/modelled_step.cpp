#include "sim/modelled_step.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "models/kernel_families.hpp"
#include "sim/base/input_error.hpp"
#include "sim/prediction.hpp"
#include "sim/step_exchange.hpp"
#include "traces/traffic_matrix.hpp"

namespace epsim {
namespace {

// The scenario of one micro-batch's exchange.
Scenario micro_batch_of(const Scenario& scenario) {
  Scenario part = scenario;
  *part.routing.tokens_per_rank /= scenario.schedule->micro_batches;
  part.schedule.reset();
  return part;
}

StepExchange predicted_exchange(MoeOperation operation,
                                const Scenario& scenario,
                                const Workload& workload,
                                const Calibration& calibration,
                                const StepMachine& machine) {
  const KernelFamily& family = calibration.family(scenario.kernel);
  const Prediction prediction = predict(
      operation, workload, *find_family(scenario.kernel), calibration.hardware, family.constants);
  return step_exchange(prediction, scenario.kernel, link_of(*scenario.topology), machine);
}

// Rows of each expert on the rank that has the most of them; of all ranks' where every rank has a
// slice of each.
std::vector<std::int64_t> expert_rows(const Scenario& scenario, const Routing& routing) {
  const TrafficMatrix traffic(routing, *scenario.experts);
  const std::vector<std::uint64_t> rows = traffic.tokens_by_expert();
  if (scenario.schedule->sharing == ExpertSharing::sliced) return {rows.begin(), rows.end()};
  const std::vector<std::uint64_t> by_rank = traffic.messages_by_target();
  const auto busiest = std::max_element(by_rank.begin(), by_rank.end()) - by_rank.begin();
  std::vector<std::int64_t> own;
  for (const ExpertId expert :
       scenario.experts->experts_of(RankId{static_cast<std::uint32_t>(busiest)}))
    own.push_back(static_cast<std::int64_t>(rows[expert.index()]));
  return own;
}

void add_exchanges(const Scenario& part,
                   const Calibration& calibration,
                   const StepMachine& machine,
                   MoeStepSpec& spec) {
  if (spec.sharing == ExpertSharing::sliced) {
    // BF16 rows of the others arrive at each rank.
    const Bytes payload{2 * spec.tokens * spec.hidden * (std::int64_t{spec.ranks} - 1)};
    spec.dispatch = collective_exchange(payload, spec.collective_ctas, spec.link, machine);
    return;
  }
  const Workload workload = make_workload(part);
  if (part.run_dispatch)
    spec.dispatch =
        predicted_exchange(MoeOperation::dispatch, part, workload, calibration, machine);
  if (part.run_combine)
    spec.combine = predicted_exchange(MoeOperation::combine, part, workload, calibration, machine);
}

}  // namespace

ModelledStep model_step(const Scenario& scenario, const Calibration& calibration) {
  const ScheduleSpec& schedule = *scenario.schedule;
  if (calibration.overlap.all().empty())
    throw InputError("calibration " + calibration.system,
                     "/overlap",
                     "expected constants of GEMMs for a schedule's compute, found none; see epsim "
                     "calibrate overlap");
  const StepMachine machine{
      .overlap = calibration.overlap,
      .hardware = calibration.hardware,
      .sm_count = static_cast<std::uint32_t>(scenario.topology->gpu_spec().sm_count),
      .reserved_sms = schedule.reserved_sms,
      .dtype = schedule.dtype};
  const Scenario part = micro_batch_of(scenario);
  MoeStepSpec spec;
  spec.layers = schedule.layers;
  spec.micro_batches = schedule.micro_batches;
  spec.ranks = scenario.routing.shape.ranks;
  spec.tokens = *part.routing.tokens_per_rank;
  spec.hidden = scenario.hidden;
  spec.attention = schedule.attention;
  spec.experts = scenario.routing.shape.experts;
  spec.top_k = scenario.routing.shape.top_k;
  spec.sharing = schedule.sharing;
  spec.intermediate = schedule.intermediate;
  spec.shared_intermediate = schedule.shared_intermediate;
  spec.gathers_ids = schedule.gathers_ids;
  spec.output = schedule.output;
  spec.collective_ctas = schedule.collective_ctas;
  spec.link = link_of(*scenario.topology);
  spec.expert_rows =
      expert_rows(scenario, make_routing(part.routing, Rng(part.seed).stream("routing")));
  add_exchanges(part, calibration, machine, spec);
  return {.step = moe_step(spec, machine),
          .tokens = spec.tokens,
          .stream_gap = calibration.hardware.duration("stream_gap"),
          .event_hop = calibration.overlap.duration("event_hop"),
          .launch_call = calibration.hardware.duration("launch_call")};
}

ScheduledStep scheduled_step(const ModelledStep& modelled, const ScheduleSpec& schedule) {
  return schedule_step(modelled.step,
                       {.kind = schedule.kind,
                        .order = schedule.order,
                        .one_communicator = schedule.one_communicator,
                        .hardware_queues = schedule.hardware_queues,
                        .other_streams = schedule.other_streams,
                        .skew = schedule.skew,
                        .stream_gap = modelled.stream_gap,
                        .event_hop = modelled.event_hop,
                        .launch_call = modelled.launch_call});
}

}  // namespace epsim
