#include "sim/base/wrapped_text.hpp"

#include <doctest/doctest.h>

using namespace epsim;

TEST_CASE("wrapped text: lines break at spaces and begin behind the indent") {
  CHECK(wrapped("one two three", 2, 80) == "one two three");
  // "  one two" has 9 columns.
  CHECK(wrapped("one two three", 2, 9) == "one two\n  three");
  CHECK(wrapped("one two three", 2, 8) == "one\n  two\n  three");
  CHECK(wrapped("", 2, 8).empty());
}

TEST_CASE("wrapped text: a word that is too long for a line stays whole") {
  CHECK(wrapped("a https://example.org/long b", 4, 10) == "a\n    https://example.org/long\n    b");
}
