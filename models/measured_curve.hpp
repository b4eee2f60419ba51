// measured_curve: constants that are places of one curve, "link_rate_16", "link_rate_32", ...
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "models/constants.hpp"

namespace epsim {

// The value at `x` on straight lines between NAME_p for p in places (ascending); beyond the ends,
// the end's value.
[[nodiscard]] double measured_curve(const ConstantSet& constants,
                                    std::string_view name,
                                    std::initializer_list<std::uint32_t> places,
                                    std::uint32_t x);

}  // namespace epsim
