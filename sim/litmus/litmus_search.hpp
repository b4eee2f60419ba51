// Litmus search: whether any execution ends as a test asks, by trying them all.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/litmus/litmus_test.hpp"

namespace epsim {

struct LitmusVerdict {
  bool is_reachable = false;
  std::uint64_t executions = 0;      // complete choices of who reads from whom that were judged
  std::vector<std::string> witness;  // one execution that ends so: what each read sees
};

[[nodiscard]] LitmusVerdict decide(const LitmusTest& test, LitmusModel model);

}  // namespace epsim
