// ListedSchedule: a GpuStep played by the plainest of schedulers, no contention: a task starts when
// its stream's last one, its waits and its launch are done, and its gap has passed.
#pragma once

#include <algorithm>
#include <vector>

#include "models/gpu_step.hpp"

namespace epsim {

struct ListedSchedule {
  std::vector<Duration> start, end;  // one a task
  Duration span{};                   // first start to last end

  explicit ListedSchedule(const GpuStep& step) {
    std::vector<Duration> free(step.streams.size());
    Duration first = Duration::max(), last{};
    for (const StepTask& task : step.tasks) {
      Duration ready = std::max(task.launch, free[task.stream]);
      for (const std::uint32_t producer : task.after) ready = std::max(ready, end[producer]);
      start.push_back(ready + task.gap);
      end.push_back(start.back() + task.time);
      free[task.stream] = end.back();
      first = std::min(first, start.back());
      last = std::max(last, end.back());
    }
    if (!start.empty()) span = last - first;
  }
};

}  // namespace epsim
