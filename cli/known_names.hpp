// What this program knows by name, as manual page and completions tell it.
#pragma once

#include <vector>

#include "cli/command_tree.hpp"

namespace epsim {

[[nodiscard]] std::vector<KnownNames> known_names();

}  // namespace epsim
