// compute_validation: the laws of single kernels against the times that others published of them.
#pragma once

#include <string>

#include "models/calibration.hpp"
#include "models/compute_constants.hpp"

namespace epsim {

// A system's GPU with all that its laws need; `system` as `--system` names it.
class ComputeSystem {
 public:
  explicit ComputeSystem(const std::string& system);
  [[nodiscard]] StepMachine machine() const;  // refers to this

 private:
  Calibration calibration_;
  Topology topology_;
  ComputeConstants constants_;
};

// Prints a row for each kind and kernel, fitted and held out, then every record; `json` as
// output.hpp takes it (epsim.compute_validation/1), or empty.
void validate_compute(const std::string& records,
                      const std::string& system,
                      const std::string& json);

}  // namespace epsim
