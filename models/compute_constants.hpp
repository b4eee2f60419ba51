// compute_constants: constants of GEMMs, attention and memory for a system's GPU, measured there or
// carried over from a GPU that was, by what data sheets say of both.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/calibration.hpp"
#include "models/constants.hpp"
#include "models/step_times.hpp"
#include "topologies/topology.hpp"

namespace epsim {

struct ComputeConstants {
  ConstantSet overlap;  // two_batch_constants()
  ConstantSet step;     // step_constants()
  // Of one SM's tensor cores over a Hopper SM's, BF16.
  double tensor_ratio = 1;
  Bandwidth stream_rate{};              // memory, of kernels on all SMs that mostly read
  bool scales_in_tensor_cores = false;  // blocks of FP8
  std::vector<std::string> notes;  // what was carried over, a sentence each; empty: all measured
};

// Throws InputError for a GPU whose arithmetic epsim does not know.
[[nodiscard]] ComputeConstants compute_constants(const Calibration& calibration,
                                                 const Topology& topology);

// How compute runs on that GPU. Refers to both sets of constants.
[[nodiscard]] StepMachine step_machine(const ComputeConstants& constants,
                                       const ConstantSet& hardware,
                                       const GpuSpec& gpu,
                                       std::uint32_t reserved_sms);

}  // namespace epsim
