// SizedTopologies: the topology of a calibration, as large as an observation needs it. One of each
// size is built and shared, since fits and validations make many workloads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "calibrate/observation.hpp"
#include "topologies/topology.hpp"

namespace epsim {

// Hosts that the ranks of an observation fill; 0 where it does not say how many a host has.
[[nodiscard]] std::uint32_t hosts_of(const Observation& observation);

class SizedTopologies {
 public:
  // `preset` with as many hosts as the observation fills, where it has a parameter "hosts"; else
  // the preset as it is. Throws InputError where the preset cannot be built, or its hosts are of
  // another size than several of the observation.
  [[nodiscard]] std::shared_ptr<const Topology> find(const std::string& preset,
                                                     const Observation& observation);

 private:
  std::map<std::string, bool> has_hosts_;  // by preset
  std::map<std::pair<std::string, std::uint32_t>, std::shared_ptr<const Topology>> built_;
};

}  // namespace epsim
