#include "models/step_schedule.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/step_report.hpp"
#include "tests/support/list_scheduler.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

// Two layers of two micro-batches: attention 10, ids 1, dispatch 8, experts 10, reduce 6 us.
MoeStep small_step(std::int32_t layers = 2) {
  MoeStep step;
  step.sm_count = 100;
  step.rank_count = 2;
  std::vector<std::vector<std::uint32_t>> last(2);
  const auto add = [&](std::int32_t layer,
                       std::int32_t batch,
                       StepStage stage,
                       StepLane lane,
                       Duration time,
                       std::vector<std::uint32_t> needs) {
    MoeTask task;
    task.task.name = kStepStageNames[static_cast<std::size_t>(stage)];
    task.task.layer = layer;
    task.task.micro_batch = batch;
    task.task.time = time;
    task.task.kernel_class =
        lane == StepLane::compute ? KernelClass::compute : KernelClass::communication;
    task.stage = stage;
    task.lane = lane;
    task.needs = std::move(needs);
    step.tasks.push_back(task);
    return static_cast<std::uint32_t>(step.tasks.size() - 1);
  };
  for (std::int32_t layer = 0; layer < layers; ++layer)
    for (std::int32_t batch = 0; batch < 2; ++batch) {
      auto& before = last[static_cast<std::size_t>(batch)];
      const auto attention =
          add(layer, batch, StepStage::attention, StepLane::compute, 10us, before);
      const auto ids = add(layer, batch, StepStage::gate, StepLane::collective, 1us, {});
      const auto dispatch =
          add(layer, batch, StepStage::dispatch, StepLane::exchange, 8us, {attention, ids});
      const auto experts =
          add(layer, batch, StepStage::experts, StepLane::compute, 10us, {dispatch});
      before = {add(layer, batch, StepStage::combine, StepLane::collective, 6us, {experts})};
    }
  return step;
}

struct Outcome {
  Duration step;
  StepOverlap overlap;
};

Outcome outcome(const ScheduleOptions& options) {
  const ScheduledStep scheduled = schedule_step(small_step(), options);
  const StepRun run = list_schedule(scheduled.step);
  return {run.step, overlap_of(scheduled, run, CountedKernels::all)};
}

}  // namespace

TEST_CASE("step_schedule: a serial step is the sum of its tasks") {
  const Outcome serial = outcome({.kind = ScheduleKind::serial});
  CHECK(serial.step == 140us);  // 2 layers * 2 micro-batches * (10 + 1 + 8 + 10 + 6)
  CHECK(serial.overlap.communication == 60us);
  CHECK(serial.overlap.overlap == 0us);
}

TEST_CASE("step_schedule: plain stream order hides exchanges, but no collective among compute") {
  // Compute queue: a A 0, ids 10, a B 11, ids 21, e A 22, red A 32, a A' 38, ids 48, e B 49, red B
  // 59, a B' 65, ids 75, e A' 76, red A' 86, e B' 92, red B' 102 to 108.
  // Dispatches 11 to 19, 22 to 30, 49 to 57, 76 to 84: 32 us, all beside compute.
  const Outcome tbo = outcome({.kind = ScheduleKind::tbo, .order = QueueOrder::baton});
  CHECK(tbo.step == 108us);
  CHECK(tbo.overlap.communication == 60us);
  CHECK(tbo.overlap.overlap == 32us);
}

TEST_CASE("step_schedule: one communicator chains each dispatch to the other batch's attention") {
  // ids of B come before the dispatch of A in the communicator and behind the attention of B in the
  // stream: nothing runs beside anything, as in the serial step.
  const Outcome tbo =
      outcome({.kind = ScheduleKind::tbo, .order = QueueOrder::baton, .one_communicator = true});
  CHECK(tbo.step == 140us);
  CHECK(tbo.overlap.overlap == 0us);
}

TEST_CASE("step_schedule: kernels that meet their peers keep one order where SMs are missing") {
  MoeStep step = small_step();
  const auto chained = [&](std::uint32_t exchange_ctas, std::uint32_t ranks) {
    step.rank_count = ranks;
    for (MoeTask& task : step.tasks)
      if (task.lane != StepLane::compute)
        task.task.cta_count = task.lane == StepLane::exchange ? exchange_ctas : 20;
    const ScheduledStep tbo = schedule_step(step, {.kind = ScheduleKind::tbo});
    return std::ranges::any_of(
        tbo.step.tasks, [](const StepTask& task) { return task.communicator != kNoCommunicator; });
  };
  CHECK_FALSE(chained(80, 2));  // 80 + 20 on 100 SMs
  CHECK(chained(81, 2));
  CHECK_FALSE(chained(81, 1));  // nobody to meet
}

TEST_CASE("step_schedule: on an auxiliary stream all but the last reduction hides") {
  // Compute without a pause 0 to 80. Dispatches 10, 20, 50, 60, each for 8; reductions 30, 40, 70
  // for 6 each, the last one 80 to 86; ids 0, 1, 36, 46.
  for (const bool one_communicator : {false, true}) {
    const Outcome aux = outcome({.kind = ScheduleKind::tbo_aux,
                                 .order = QueueOrder::baton,
                                 .one_communicator = one_communicator});
    CHECK(aux.step == 86us);
    CHECK(aux.overlap.communication == 60us);
    CHECK(aux.overlap.exposed() == 6us);
  }
}

TEST_CASE("step_schedule: streams that share a hardware queue run as one") {
  const Outcome shared =
      outcome({.kind = ScheduleKind::tbo, .order = QueueOrder::baton, .hardware_queues = 1});
  CHECK(shared.step == 140us);
  CHECK(shared.overlap.overlap == 0us);
  // Four queues, but three other streams lie between compute and communication.
  const Outcome aliased = outcome({.kind = ScheduleKind::tbo,
                                   .order = QueueOrder::baton,
                                   .hardware_queues = 4,
                                   .other_streams = 3});
  CHECK(aliased.step == 140us);
}

TEST_CASE("step_schedule: skew lengthens collectives and nothing else") {
  // 4 us in each of 8 collectives on the compute stream.
  const Outcome tbo = outcome({.kind = ScheduleKind::tbo, .order = QueueOrder::baton, .skew = 4us});
  CHECK(tbo.step == 108us + 8 * 4us);
  CHECK(tbo.overlap.overlap == 32us);
}

TEST_CASE("step_schedule: every task waits only for tasks that were queued before it") {
  for (const ScheduleKind kind : {ScheduleKind::serial, ScheduleKind::tbo, ScheduleKind::tbo_aux})
    for (const QueueOrder order : {QueueOrder::stages, QueueOrder::baton}) {
      const MoeStep step = small_step(5);
      const ScheduledStep scheduled = schedule_step(step, {.kind = kind, .order = order});
      REQUIRE(scheduled.step.tasks.size() == step.tasks.size());
      for (std::uint32_t i = 0; i < scheduled.step.tasks.size(); ++i)
        for (const std::uint32_t event : scheduled.step.tasks[i].after) {
          CHECK(event < i);
          CHECK(scheduled.step.tasks[event].stream != scheduled.step.tasks[i].stream);
        }
    }
}

TEST_CASE("step_schedule: stages queue the other batch's stage in front of each wait") {
  // Attention of both, experts of both, and with the next layer's attention what ends a layer.
  const ScheduledStep scheduled =
      schedule_step(small_step(1), {.kind = ScheduleKind::tbo, .order = QueueOrder::stages});
  std::string order;
  for (const StepTask& task : scheduled.step.tasks)
    order += std::string(task.name.substr(0, 1)) + std::to_string(task.micro_batch) + " ";
  CHECK(order == "a0 g0 a1 g1 d0 e0 d1 e1 c0 c1 ");
}
