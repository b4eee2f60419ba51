// Happens-before: which accesses of a program nothing orders, by PTX's causality order with
// proxies, over one schedule and what every other schedule shares with it.
#pragma once

#include "sim/hazards/finding.hpp"
#include "sim/hazards/sync_program.hpp"

namespace epsim {

struct CheckOptions {
  // Where a proxy fence must stand: in the CTA of the asynchronous access, or anywhere on the path.
  bool lenient = false;
  std::size_t most_findings = 100;  // sites that are reported
};

// Every conflict of the program that is not ordered, each with its verdict and witness. Throws
// InputError for a program that names what it does not have.
[[nodiscard]] HazardReport find_hazards(const SyncProgram& program,
                                        const CheckOptions& options = {});

// The order that makes `second` of `agents` see `first`, step by step, in words; empty if there is
// none. Operations are indices into SyncProgram::ops. What seed 4 asks for.
[[nodiscard]] std::vector<std::string> happens_before_path(const SyncProgram& program,
                                                           std::uint32_t first,
                                                           std::uint32_t second);

}  // namespace epsim
