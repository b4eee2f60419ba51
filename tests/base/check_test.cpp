#include "sim/base/check.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace epsim;

TEST_CASE("check: what holds passes without a word") {
  CHECK_NOTHROW(check(1 + 1 == 2, "one and one are two"));
}

TEST_CASE("check: what does not hold is a Bug that names file, line and claim") {
  std::string message;
  const int line = __LINE__ + 2;
  try {
    check(1 + 1 == 3, "one and one are three");
  } catch (const Bug& bug) {
    message = bug.what();
  }
  CAPTURE(message);
  CHECK(message.ends_with("check_test.cpp:" + std::to_string(line) + ": one and one are three"));
}

TEST_CASE("check: a Bug is not the user's fault, so it is no InputError") {
  // main tells the two apart by type: exit 70 against exit 2.
  CHECK(std::is_base_of_v<std::logic_error, Bug>);
  CHECK_FALSE(std::is_base_of_v<std::runtime_error, Bug>);
}
