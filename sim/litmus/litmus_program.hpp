// LitmusPair: a litmus test of one weak write and one weak read of it, as a program for the
// happens-before checker. What one of them says decides for both: if the checker finds nothing, no
// execution may show the read what it should not see.
#pragma once

#include <cstdint>
#include <optional>

#include "sim/hazards/sync_program.hpp"
#include "sim/litmus/litmus_test.hpp"

namespace epsim {

struct LitmusPair {
  SyncProgram program;
  std::uint32_t write = 0, read = 0;  // operations of the program; an issue stands for its engine
  std::int64_t old_value = 0, new_value = 0;  // before and after the write
  LitmusLeaf seen;                            // the register that holds what was read
  LitmusCondition waits;  // the flags of the question, each with the value that it is read with
};

// Nothing where the two cannot say the same: branches, several pairs, alias, a flag whose value may
// come from several writes, a barrier that a part of its threads may open, questions about memory.
[[nodiscard]] std::optional<LitmusPair> litmus_pair(const LitmusTest& test);

// The test with another question: may the read see `value` while flags are read as they were?
[[nodiscard]] LitmusTest asking(const LitmusTest& test, const LitmusPair& pair, std::int64_t value);

}  // namespace epsim
