// Advice: the call that would close a hazard of a call sequence, in the words of its protocol.
#pragma once

#include "sim/hazards/finding.hpp"
#include "sim/protocols/call_emitter.hpp"
#include "sim/protocols/call_sequence.hpp"

namespace epsim {

// Replaces Finding::closes where the calls of its two operations say more than the operations do.
void advise(Finding& finding, const CallProgram& program, const CallSequence& sequence);

}  // namespace epsim
