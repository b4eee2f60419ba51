// network_checks: collectives that somebody timed, against the time that the links alone need.
#pragma once

#include "calibrate/network_derive.hpp"

namespace epsim {

// Adds a line to result.checks for the largest alltoall and sendrecv of each number of ranks. The
// bound is that of result.calibration: bytes that leave a GPU over the rate of the link they take.
void check_collectives(const TransferSet& transfers,
                       const FabricFacts& facts,
                       NetworkDerivation& result);

}  // namespace epsim
