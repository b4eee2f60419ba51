// recorded_stages: times of a layer's compute, from a profiler dump of somebody's step.
#pragma once

#include <cstdint>
#include <string>

#include "models/constants.hpp"
#include "models/measured_stages.hpp"

namespace epsim {

struct RecordedStep {
  std::string file;          // a profiler dump
  std::int64_t tokens = 0;   // of an attention group and micro-batch in it
  std::int64_t context = 0;  // keys of a sequence before its first token
};

// Kernels that ran beside others are taken apart first. `constants` are those of step_constants().
// Throws InputError where the dump's layers cannot be told.
[[nodiscard]] StageTimes recorded_stages(const RecordedStep& recorded,
                                         const ConstantSet& constants);

}  // namespace epsim
