// step_units: the layers and micro-batches of a recorded step, found from what repeats. A unit is
// one micro-batch of one layer: attention and gate, dispatch, experts, combine, and what follows
// it in the layer (shared experts, the residual).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/gpu_step.hpp"

namespace epsim {

// Indices into GpuStep::tasks, in order. A dispatch or combine may be several kernels: notify, then
// the exchange.
struct StepUnit {
  std::vector<std::uint32_t> attention, dispatch, experts, combine, shared;
};

struct StepUnits {
  std::vector<StepUnit> units;  // layer by layer, micro-batch by micro-batch
  std::uint32_t micro_batches = 1;
  bool takes_turns = false;  // two micro-batches: attention, attention, experts, experts, ...
  std::string evidence;      // how they were told, in a sentence

  [[nodiscard]] std::size_t layers() const { return units.size() / micro_batches; }
};

// Of a step that queues one unit after the other, or two micro-batches in turns (whatever its
// streams). `micro_batches` 0: two when the number of units is even, else one. Throws InputError,
// naming `file`, when the step has no such structure.
[[nodiscard]] StepUnits find_units(const GpuStep& step,
                                   std::uint32_t micro_batches,
                                   const std::string& file);

}  // namespace epsim
