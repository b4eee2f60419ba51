// HandMadeStep: a step of a few tasks written one by one, times in microseconds, on a GPU of 8 SMs.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/gpu_step.hpp"

namespace epsim {

class HandMadeStep {
 public:
  explicit HandMadeStep(std::uint32_t streams = 1) {
    for (std::uint32_t s = 0; s < streams; ++s) step_.streams.push_back("s" + std::to_string(s));
    step_.sm_count = 8;
  }

  // Needs no SM and nothing else.
  StepTask& copy(std::uint32_t stream, double us) {
    StepTask& task = add("copy", KernelClass::copy, "copy", stream, us);
    task.cta_count = 0;
    return task;
  }
  // Compute of one CTA an SM, all at once, that takes a share of the memory.
  StepTask& elementwise(std::uint32_t stream, double us, double memory_share = 0) {
    StepTask& task = add("elementwise", KernelClass::compute, "elementwise", stream, us);
    task.memory_share = memory_share;
    return task;
  }
  // Persistent, on every SM.
  StepTask& gemm(std::uint32_t stream, double us, std::uint32_t tiles) {
    StepTask& task = add("gemm", KernelClass::compute, "GEMM", stream, us);
    task.is_persistent = true;
    task.tile_count = tiles;
    task.clock_share = 1;
    return task;
  }
  StepTask& exchange(std::uint32_t stream,
                     double us,
                     std::uint32_t ctas = 2,
                     CommunicationPhase phase = CommunicationPhase::exchange) {
    StepTask& task = add("exchange", KernelClass::communication, "NCCL", stream, us);
    task.phase = phase;
    task.cta_count = ctas;
    return task;
  }
  StepTask& add(std::string name,
                KernelClass kernel_class,
                std::string family,
                std::uint32_t stream,
                double us) {
    StepTask task;
    task.name = std::move(name);
    task.kernel_class = kernel_class;
    task.family = std::move(family);
    task.stream = stream;
    task.time = from_us(us);
    task.cta_count = 8;
    step_.tasks.push_back(std::move(task));
    return step_.tasks.back();
  }

  GpuStep& step() { return step_; }

 private:
  GpuStep step_;
};

}  // namespace epsim
