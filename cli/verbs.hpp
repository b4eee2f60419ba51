// Verbs: what this build of epsim can do. verbs.cpp has them all; verbs_measure_only.cpp has what a
// machine with GPUs and no library of ours can build.
#pragma once

namespace CLI {
class App;
}

namespace epsim {

void add_verbs(CLI::App& app);

// Verbs of `epsim calibrate`.
void add_carry_verb(CLI::App& calibrate);     // carry: readings of a system never measured
void add_compute_verb(CLI::App& calibrate);   // compute: laws of kernels from published times
void add_derive_verbs(CLI::App& calibrate);   // derive, observe
void add_fit_verb(CLI::App& calibrate);       // fit
void add_import_verb(CLI::App& calibrate);    // import: what standard tools print, as transfers
void add_network_verb(CLI::App& calibrate);   // network: transfers as constants of NICs and NVLink
void add_overlap_verb(CLI::App& calibrate);   // overlap: constants of GEMMs beside exchanges
void add_samples_verb(CLI::App& calibrate);   // show: what a measurement file holds
void add_step_verb(CLI::App& calibrate);      // step: what tasks of a step do to each other
void add_measure_verbs(CLI::App& calibrate);  // list, run: on GPUs

}  // namespace epsim
