// InputError: the input is wrong. One line that names the file, the place in it, what was expected
// and what was found. Caught in main alone: printed to stderr, exit 2.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace epsim {

class InputError : public std::runtime_error {
 public:
  // `place` is a JSON pointer such as "/traffic/top_k", or empty when the whole file is meant.
  InputError(std::string_view file, std::string_view place, std::string_view what)
      : std::runtime_error(std::string(file) + ": " +
                           (place.empty() ? std::string() : std::string(place) + ": ") +
                           std::string(what)) {}
};

}  // namespace epsim
