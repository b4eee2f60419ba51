// check: what must hold, in every build. A failed check is our bug, never the user's.
//
// It throws instead of aborting: a simulator holds nothing worth protecting, and a throwing check
// can be tested for what it forbids. Only main and tests catch Bug.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>

namespace epsim {

class Bug : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] inline void fail_check(const char* what, const std::source_location& place) {
  throw Bug(std::string(place.file_name()) + ":" + std::to_string(place.line()) + ": " + what);
}

// Throws Bug with the place of the call unless `condition` holds. `what` states what must hold.
inline void check(bool condition,
                  const char* what,
                  const std::source_location& place = std::source_location::current()) {
  if (!condition) [[unlikely]]
    fail_check(what, place);
}

}  // namespace epsim
