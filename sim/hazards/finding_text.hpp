// Finding text: hazards for a reader at a terminal, in plain words and without colours. One block a
// finding, the line worth reading last.
#pragma once

#include <span>
#include <string>

#include "sim/hazards/checked_file.hpp"

namespace epsim {

[[nodiscard]] std::string finding_text(const Finding& finding);

// Every finding of every program, and one line that sums up.
[[nodiscard]] std::string hazards_text(std::span<const CheckedFile> files);

}  // namespace epsim
