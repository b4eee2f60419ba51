// overlap_validation: predicted against measured for the steps of M20.
#pragma once

#include <string>

namespace epsim {

// Derives the overlap model's constants from the measurement, predicts every step in it and prints
// the table; `json` as output.hpp takes it, or empty. `system` names the topology.
void validate_overlap(const std::string& measurement,
                      const std::string& system,
                      const std::string& json,
                      int jobs);

}  // namespace epsim
