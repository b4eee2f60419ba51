// wrapped: a text on as many lines as it needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace epsim {

// Breaks at spaces so that no line has more than `width` columns; the first line stands behind
// `indent` columns that somebody else has written, the others behind as many spaces. A word that is
// too long for a line stays whole. ASCII alone; no newline at the end.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace epsim
