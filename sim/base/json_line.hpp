// Json line: where in a JSON text a pointer points, for tools that mark a line of the file.
#pragma once

#include <cstddef>
#include <string_view>

namespace epsim {

// Line, from 1, of the value (of an object's member: of its key) that the JSON pointer names. Of a
// pointer that the text does not hold to its end: the line of as much as it holds. `json` is taken
// to be well formed; where it is not, some line of it comes back.
[[nodiscard]] std::size_t line_of_pointer(std::string_view json, std::string_view pointer);

}  // namespace epsim
