// ManualPage: epsim(1) in mdoc macros, which man-db and mandoc both typeset.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/command_tree.hpp"

namespace epsim {

struct Edition {
  std::string_view version;  // "1.2.3"
  std::string_view date;  // "2026-01-31": a page names one, and the same source gives the same page
};

[[nodiscard]] std::string manual_page(const Command& root,
                                      const std::vector<KnownNames>& known,
                                      const Edition& edition);

}  // namespace epsim
