// Index expression: whole-number arithmetic in a protocol file, such as "i % 3" or "rank + 1", over
// parameters and loop variables.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace epsim {

using Variables = std::map<std::string, std::int64_t, std::less<>>;

// + - * / % ( ) and comparisons, which give 0 or 1. Division rounds down and a remainder has the
// divisor's sign, so that (rank - 1) % ranks is a rank. Throws std::invalid_argument with a
// sentence for the reader of the terminal.
[[nodiscard]] std::int64_t evaluate(std::string_view expression, const Variables& variables);

// The text with each {expression} replaced by its value: "warp {w}" is "warp 3". Throws likewise.
[[nodiscard]] std::string fill_in(std::string_view text, const Variables& variables);

}  // namespace epsim
