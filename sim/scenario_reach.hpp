// Scenario reach: how far the ranks of a scenario lie apart, and whether one host may stand for
// all. What needs a network is refused here where something cannot have one.
#pragma once

#include "models/calibration.hpp"
#include "sim/base/json.hpp"
#include "sim/scenario.hpp"

namespace epsim {

// Reads "topology" and "symmetry", which asks for a fold of the topology's hosts.
void read_topology(JsonObject& root, Scenario& scenario);

// Once all of the scenario is read. Throws InputError for ranks in several NVLink domains that the
// kernels cannot join, and for symmetry where hosts differ.
void check_reach(const Scenario& scenario);

// Throws InputError where the scenario's kernels use NICs of which the calibration says nothing.
void require_network(const Scenario& scenario, const Calibration& calibration);

// Throws InputError where kernels post to NICs or one host stands for all: for those who follow
// every access of every rank, and know of neither.
void require_every_access(const Scenario& scenario);

}  // namespace epsim
