// InputError: the input is wrong. One line that names the file, the place in it, what was expected
// and what was found. Caught in main alone: printed to stderr, exit 2.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace epsim {

class InputError : public std::runtime_error {
 public:
  // `place` is a JSON pointer such as "/traffic/top_k", or empty when the whole file is meant.
  InputError(std::string_view file, std::string_view place, std::string_view what)
      : std::runtime_error(one_line(std::string(file) + ": " +
                                    (place.empty() ? "" : std::string(place) + ": ") +
                                    std::string(what))) {}

 private:
  // What was found may hold anything: a line break or an escape sequence must not reach a terminal.
  static std::string one_line(std::string text) {
    constexpr std::size_t kLongest = 1000;
    if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
    for (char& c : text)
      if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
    return text;
  }
};

}  // namespace epsim
