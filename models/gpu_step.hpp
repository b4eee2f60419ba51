// GpuStep: one step of one rank as tasks on streams: what each needs of the GPU and what it waits
// for. A profiler dump becomes one, a scenario writes one; schedules and edits turn one into
// another; plan_step gives it to the engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/base/units.hpp"
#include "traces/kernel_class.hpp"

namespace epsim {

inline constexpr std::uint32_t kNoCommunicator = 0xffff'ffff;

// One kernel, copy or fill. Its time and shares are those it has alone on the GPU.
struct StepTask {
  std::string name;
  KernelClass kernel_class = KernelClass::compute;
  CommunicationPhase phase = CommunicationPhase::none;
  std::string family;
  std::uint32_t stream = 0;     // index into GpuStep::streams
  Duration time{};              // alone
  Duration gap{};               // from the end of what it waits for to its start
  Duration launch{};            // the host has queued it so long after the step's start
  std::uint32_t cta_count = 0;  // 0: a copy or fill, needs no SM
  std::uint16_t ctas_per_sm = 1;
  // Holds one CTA to a slot until all its work is done (GEMMs with a tile loop); others come and go
  // in waves.
  bool is_persistent = false;
  // Of a persistent one: what its CTAs work off one by one. 0: not known, taken as many.
  std::uint32_t tile_count = 0;
  std::uint16_t cluster_size = 1;  // CTAs that need neighbouring SMs
  bool starts_whole = false;       // a cooperative launch: all its CTAs, or none
  double memory_share = 0;         // of the memory's rate that it takes
  double link_share = 0;           // of the links' rate that it takes (communication)
  double clock_share = 0;          // part of its time that grows as the SMs' clock falls
  Duration skew{};                 // of `time`: waiting for peers
  // Collectives of one communicator run in the order in which they were queued, whatever their
  // streams.
  std::uint32_t communicator = kNoCommunicator;
  std::vector<std::uint32_t> after;           // events: earlier tasks of other streams
  std::int32_t layer = -1, micro_batch = -1;  // -1: not known
  std::uint32_t place = 0;  // of the task in the step that it was taken from (step_alone)
};

struct GpuStep {
  std::vector<std::string> streams;  // names
  std::vector<StepTask> tasks;       // in the order in which the host queues them
  std::uint32_t sm_count = 0;
  std::uint32_t rank_count = 1;  // that meet in its communication, all with the same tasks
  // Hardware queues: stream s shares one with stream s + hardware_queues, and what they hold runs
  // in the order in which it was queued. 0: one for each stream.
  std::uint32_t hardware_queues = 0;
  // Times as recorded have what tasks do to each other in them: no contention is added.
  bool as_recorded = false;
};

}  // namespace epsim
