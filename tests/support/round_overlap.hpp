// Constants of the overlap model in round numbers, for arithmetic by hand.
#pragma once

#include <map>
#include <string>

#include "models/two_batch.hpp"

namespace epsim {

inline ConstantSet round_overlap() {
  const std::map<std::string, double, std::less<>> values = {{"gemm_memory_exposed", 0.25},
                                                             {"gemm_memory_share", 0.25},
                                                             {"gemm_fixed", 2},
                                                             {"memory_rate", 1000},
                                                             {"sm_copy", 10},
                                                             {"exchange_fixed", 5},
                                                             {"stream_gap", 1},
                                                             {"event_hop", 2}};
  ConstantSet constants;
  for (const ConstantSpec& spec : two_batch_constants()) {
    const std::string name(spec.name);
    const auto known = values.find(name);
    const double value = known != values.end()                 ? known->second
                         : name.starts_with("gemm_efficiency") ? 0.5
                         : name.starts_with("link_rate")       ? 100
                                                               : 1;
    constants.put({.name = name, .unit = std::string(spec.unit), .value = value, .source = "test"});
  }
  return constants;
}

}  // namespace epsim
