// step_schedule: a step's tasks on streams, in the order in which a host queues them.
//   serial    everything on one stream, one micro-batch after the other in each layer
//   tbo       two micro-batches in turns on the compute stream; exchanges on a communication
//   stream,
//             with an event in front of what needs them; other collectives where compute is
//   tbo+aux   the same with the other collectives on an auxiliary stream, with events at both ends
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "models/gpu_step.hpp"
#include "models/moe_step.hpp"

namespace epsim {

enum class ScheduleKind : std::uint8_t { serial, tbo, tbo_aux };
inline constexpr std::array<std::string_view, 3> kScheduleKindNames = {"serial", "tbo", "tbo+aux"};

// When the host goes on with the other micro-batch. What it queues behind a wait cannot run before
// what is waited for, so the other micro-batch's tasks have to be queued in between.
//   stages    SGLang's prefill: {attention, gate}, {dispatch, experts}, {shared experts, combine},
//             the last of a layer together with the first of the next
//   baton     vLLM's and ATOM's two threads: in front of each exchange or collective that runs on
//             another stream and waits for this one
enum class QueueOrder : std::uint8_t { stages, baton };
inline constexpr std::array<std::string_view, 2> kQueueOrderNames = {"stages", "baton"};

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::serial;
  QueueOrder order = QueueOrder::stages;
  // All exchanges and collectives are of one communicator, which runs them as they were queued;
  // so they are in any case where SMs for all of them at once are missing.
  bool one_communicator = false;
  std::uint32_t hardware_queues = 0;  // 0: one for each stream
  // Streams made before the communication stream that hold nothing here but take their places among
  // the hardware queues.
  std::uint32_t other_streams = 0;
  Duration skew{};         // by which each collective waits for its last rank
  Duration stream_gap{};   // end of a task to the next one of its stream
  Duration event_hop{};    // end of a task to one of another stream
  Duration launch_call{};  // of the host, each task
};

struct ScheduledStep {
  GpuStep step;
  std::vector<StepLane> lanes;    // one a task of it: what the task is, whatever its stream
  std::vector<StepStage> stages;  // the same: the part of the layer that it belongs to
};

[[nodiscard]] ScheduledStep schedule_step(const MoeStep& step, const ScheduleOptions& options);

}  // namespace epsim
