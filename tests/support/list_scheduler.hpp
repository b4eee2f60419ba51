// A step's tasks one after the other, each as soon as its stream, events, communicator and hardware
// queue let it, and none slows another: what a schedule says, worked out as one would on paper.
#pragma once

#include <algorithm>
#include <map>

#include "sim/step_run.hpp"

namespace epsim {

inline StepRun list_schedule(const GpuStep& step) {
  StepRun run;
  std::map<std::uint32_t, Instant> streams, communicators, queues;
  for (const StepTask& task : step.tasks) {
    Instant start = streams[task.stream];
    for (const std::uint32_t event : task.after) start = std::max(start, run.end.at(event));
    if (task.communicator != kNoCommunicator)
      start = std::max(start, communicators[task.communicator]);
    const std::uint32_t queue =
        step.hardware_queues == 0 ? task.stream : task.stream % step.hardware_queues;
    start = std::max(start, queues[queue]) + task.gap;
    const Instant end = start + task.time;
    streams[task.stream] = communicators[task.communicator] = queues[queue] = end;
    run.start.push_back(start);
    run.end.push_back(end);
    run.step = std::max(run.step, end - Instant{});
  }
  return run;
}

}  // namespace epsim
