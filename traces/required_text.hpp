// Required text: what a text must hold for a regular expression to match it, read off the pattern,
// so that most texts need no search at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace epsim {

// A text that matches holds one of these, one for each alternative; empty where the pattern does
// not tell. ECMAScript without look-ahead, matched as it is written.
[[nodiscard]] std::vector<std::string> required_texts(std::string_view pattern);

}  // namespace epsim
