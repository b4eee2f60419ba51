// ServingSystem: the machine that a deployment is asked of: a calibration, the topology on which it
// stands, in any size, and what its GPUs compute.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/calibration.hpp"
#include "models/compute_constants.hpp"
#include "models/step_times.hpp"
#include "topologies/topology.hpp"

namespace epsim {

struct ServingSystem {
  Calibration calibration;
  std::string preset;  // of the topology
  GpuSpec gpu;
  ComputeConstants compute;
  std::uint32_t domain = 0;   // GPUs of one NVLink domain
  std::string size_key;       // of the topology: "hosts", "racks" or "gpus"
  bool can_grow = false;      // beyond one domain
  Bandwidth nvlink{}, nic{};  // of a GPU, one direction; no NIC: 0

  // How compute runs beside communication that holds so many SMs.
  [[nodiscard]] StepMachine machine(std::uint32_t reserved_sms) const;
  // Overrides of the preset for so many ranks, as JSON text.
  [[nodiscard]] std::string topology_override(std::uint32_t ranks) const;
  // Whether so many ranks fill several hosts.
  [[nodiscard]] bool folds(std::uint32_t ranks) const {
    return can_grow && ranks > domain && ranks % domain == 0;
  }
  // Whether its hosts are alike, so that one may.
  [[nodiscard]] bool folds_to_one(std::uint32_t ranks) const;
  [[nodiscard]] bool holds(std::uint32_t ranks) const;
};

// `topology` is a preset's name or a file; empty: the one that was calibrated. Throws InputError.
[[nodiscard]] ServingSystem load_serving_system(const std::string& calibration,
                                                const std::string& topology);

}  // namespace epsim
