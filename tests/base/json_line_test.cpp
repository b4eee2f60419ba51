#include "sim/base/json_line.hpp"

#include <string_view>

#include <doctest/doctest.h>

using namespace epsim;

namespace {

constexpr std::string_view kText = R"({
  "name": "a \" } name",
  "combine": {
    "format": "bf16",
    "fence": "P3"
  },
  "a/b": [
    1,
    {"c": [2,
           3]}
  ],
  "last": true
})";

}  // namespace

TEST_CASE("json line: a pointer leads to the line of its key or element") {
  CHECK(line_of_pointer(kText, "") == 1);
  CHECK(line_of_pointer(kText, "/name") == 2);
  CHECK(line_of_pointer(kText, "/combine") == 3);
  CHECK(line_of_pointer(kText, "/combine/fence") == 5);
  CHECK(line_of_pointer(kText, "/a~1b/0") == 8);
  CHECK(line_of_pointer(kText, "/a~1b/1/c/1") == 10);
  CHECK(line_of_pointer(kText, "/last") == 12);
}

TEST_CASE("json line: what the text does not hold is shown where it would stand") {
  CHECK(line_of_pointer(kText, "/combine/space") == 3);
  CHECK(line_of_pointer(kText, "/a~1b/7") == 7);
  CHECK(line_of_pointer(kText, "/name/deeper") == 2);
  CHECK(line_of_pointer(kText, "/nothing") == 1);
}

TEST_CASE("json line: text that is no JSON has some line too") {
  for (const std::string_view text : {"", "{", "{\"a", "[[[", "{\"a\":", "]", "\"\\"}) {
    CAPTURE(text);
    CHECK(line_of_pointer(text, "/a/0") >= 1);
  }
}
