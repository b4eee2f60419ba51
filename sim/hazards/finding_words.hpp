// The words of a finding: what is missing between two operations, and the cheapest thing that
// would close it.
#pragma once

#include <cstdint>
#include <string>

#include "sim/hazards/conflicts.hpp"

namespace epsim {

// Under which weaker assumption a conflict is none.
enum class Cause : std::uint8_t {
  platform,     // if a property of the platform holds
  fence_place,  // if a proxy fence may stand in another CTA
  proxy,        // if there were no proxies
  strength,     // if relaxed signals released and scopes reached further
  order,        // under none: nothing orders the two
};

struct FindingWords {
  std::string missing;
  std::string closes;
};

// `condition` is what the order rests on when the cause is the platform, else nullptr.
[[nodiscard]] FindingWords finding_words(const SyncProgram& program,
                                         const Conflict& conflict,
                                         Cause cause,
                                         const PlatformCondition* condition);

// "rank 0, load warp: bulk load of row 3".
[[nodiscard]] std::string operation_text(const SyncProgram& program,
                                         std::uint32_t agent,
                                         std::uint32_t op);

}  // namespace epsim
