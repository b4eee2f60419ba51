// Serial steps of layers that a person can write out: attention, dispatch, experts, combine, and
// what follows in the layer.
#pragma once

#include <cstdint>
#include <vector>

#include "models/step_units.hpp"
#include "tests/support/hand_made_step.hpp"

namespace epsim {

using TaskList = std::vector<std::uint32_t>;

// As a library of collectives records it: both exchanges are kernels of one name, on a stream of
// their own. Per unit tasks 0 to 8: GEMM, attention, elementwise | exchange | GEMM, elementwise,
// GEMM | exchange | GEMM of the shared experts.
inline void collective_unit(HandMadeStep& made) {
  made.gemm(0, 40, 32);
  made.add("fmha", KernelClass::compute, "attention", 0, 30);
  made.elementwise(0, 10);
  made.exchange(1, 50);
  made.gemm(0, 60, 48);
  made.elementwise(0, 10);
  made.gemm(0, 60, 48);
  made.exchange(1, 70);
  made.gemm(0, 20, 15);
}

// As DeepEP records it: a notify kernel, a copy behind it, then the exchange. Per unit tasks 0 to
// 9: GEMM, attention | notify, copy, dispatch | GEMM | notify, combine | copy, elementwise sum.
inline void notified_unit(HandMadeStep& made) {
  const auto deep_ep = [&made](CommunicationPhase phase, double us) {
    StepTask& task = made.exchange(1, us, 2, phase);
    task.family = "DeepEP";
    task.name = kCommunicationPhaseNames.at(static_cast<std::size_t>(phase));
  };
  made.gemm(0, 40, 32);
  made.add("fmha", KernelClass::compute, "attention", 0, 30);
  deep_ep(CommunicationPhase::notify, 5);
  made.copy(1, 1);
  deep_ep(CommunicationPhase::dispatch, 50);
  made.gemm(0, 60, 48);
  deep_ep(CommunicationPhase::notify, 5);
  deep_ep(CommunicationPhase::combine, 70);
  made.copy(0, 1);
  made.elementwise(0, 10);
}

// Every list moved up by so many tasks: the same unit later.
inline StepUnit shifted(StepUnit unit, std::uint32_t by) {
  for (TaskList* part :
       {&unit.attention, &unit.dispatch, &unit.experts, &unit.combine, &unit.shared})
    for (std::uint32_t& task : *part) task += by;
  return unit;
}

}  // namespace epsim
