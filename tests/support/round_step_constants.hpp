// Constants of a step in round numbers, for arithmetic by hand: an event takes 2 us, in front of an
// exchange 5; ranks are alike and nothing comes late; GEMMs at the top clock draw all that the
// limit leaves beside rest and exchanges, and more.
#pragma once

#include <map>
#include <string>

#include "models/step_constants.hpp"

namespace epsim {

inline ConstantSet round_step_constants() {
  const std::map<std::string, double, std::less<>> values = {{"event_hop", 2},
                                                             {"exchange_hop", 5},
                                                             {"rank_signal", 1},
                                                             {"launch_jitter", 0},
                                                             {"exchange_jitter", 0},
                                                             {"rank_spread", 0},
                                                             {"clock_spread", 0},
                                                             {"cluster_room", 1},
                                                             {"elementwise_memory", 1},
                                                             {"exchange_memory", 0.1},
                                                             {"exchange_beside", 1.5},
                                                             {"combine_beside", 2},
                                                             {"exchange_clock", 0.5},
                                                             {"power_idle", 0.2},
                                                             {"power_tensor", 1},
                                                             {"power_memory", 0.4},
                                                             {"power_exchange", 0.2},
                                                             {"power_exponent", 2}};
  ConstantSet constants;
  for (const ConstantSpec& spec : step_constants()) {
    const double value = values.at(std::string(spec.name));
    constants.put({.name = std::string(spec.name),
                   .unit = std::string(spec.unit),
                   .value = value,
                   .low = value,
                   .high = value,
                   .source = "round"});
  }
  return constants;
}

}  // namespace epsim
