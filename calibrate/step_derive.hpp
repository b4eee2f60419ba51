// step_derive: the constants of the step model that measurements give, read off M2 (event hops), M4
// (a flag between GPUs), M23 (where clusters find room) and M24 (power and clocks). What none of
// them gives stays as it stands.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "calibrate/measurement.hpp"
#include "models/constants.hpp"

namespace epsim {

// What one run of M24 says of power: GEMMs for a share of the time, at a clock, draw so much.
struct PowerReading {
  std::string id;          // "gemm_percent=70 filler=copy"
  double tensor = 0;       // shares of the time
  double memory = 0;       // an elementwise kernel
  double exchange = 0;     // a copy on some SMs, which stands for an exchange
  double clock = 1;        // of the SMs, over the top clock
  double power = 1;        // over the limit; 1 where the limit holds the clock down
  bool is_limited = true;  // power follows from the limit, not from the board's sensor
  double predicted = 0;    // by the law with the derived constants
};

struct StepDerivation {
  ConstantSet constants;             // all of step_constants()
  std::vector<std::string> derived;  // names; the others are as they were
  std::vector<PowerReading> power;   // what the power law was fitted to
};

// Throws InputError when a point is missing that a constant is read from.
[[nodiscard]] StepDerivation derive_step(const ConstantSet& known,
                                         const std::vector<Measurement>& files,
                                         std::uint32_t sm_count);

// Whether two readings of one constant agree: the value of one lies in the other's interval.
[[nodiscard]] bool agree(const Constant& a, const Constant& b);

// An epsim.step_constants/1 file.
[[nodiscard]] std::string step_constants_text(const std::string& system,
                                              const ConstantSet& constants);

}  // namespace epsim
