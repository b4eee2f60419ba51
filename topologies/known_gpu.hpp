// KnownGpu: what epsim knows of a GPU that a tool's output only names: its data, as a preset states
// them, and what GPUs of its generation plug into.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sim/base/units.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// GPUs of one compute capability have the same ports.
struct GpuGeneration {
  int sm = 0;  // compute capability, as NCCL writes it: 90 is 9.0
  int nvlink_count = 0;
  Bandwidth nvlink_bandwidth;       // of one link, each way
  double pcie_gigatransfers = 0.0;  // a lane's, per second
  std::string_view source;
};

struct KnownGpu {
  GpuSpec spec;
  GpuGeneration generation;
  std::string source;  // one sentence: which preset, and why that one
};

// How the user names the GPU where the text does not: a model, or a preset or file to take it from.
struct GpuChoice {
  std::string model;
  std::string preset;
};

// `file` stands for the text being read, `found_model` and `found_sm` for what it tells: empty and
// nothing if it does not. Throws InputError when that and the choice name no GPU, or two.
[[nodiscard]] KnownGpu find_gpu(std::string_view file,
                                const GpuChoice& choice,
                                std::string_view found_model = {},
                                std::optional<int> found_sm = std::nullopt);

// The model that a PCI device of NVIDIA is, such as "0x2335"; empty if it is not known.
[[nodiscard]] std::string_view gpu_model_of(std::string_view pci_device);

}  // namespace epsim
