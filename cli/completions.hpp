// Completions: what bash and zsh offer after each word of an epsim command. Each script stands
// alone: it holds the names that this program knows, and asks nothing when a key is pressed.
#pragma once

#include <string>
#include <vector>

#include "cli/command_tree.hpp"

namespace epsim {

[[nodiscard]] std::string bash_completion(const Command& root,
                                          const std::vector<KnownNames>& known);
[[nodiscard]] std::string zsh_completion(const Command& root, const std::vector<KnownNames>& known);

}  // namespace epsim
