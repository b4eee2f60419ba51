// Litmus operations: what the "ops" of a thread say, word by word.
#pragma once

#include <cstdint>

#include "sim/litmus/litmus_names.hpp"

namespace epsim {

// The value of "ops" of one thread.
void read_litmus_ops(const JsonValue& ops,
                     std::uint32_t thread,
                     LitmusNames& names,
                     LitmusTest& test);

}  // namespace epsim
