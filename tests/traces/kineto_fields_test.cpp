#include "traces/kineto_fields.hpp"

#include <doctest/doctest.h>

using namespace epsim;

namespace {

using Triple = std::array<std::uint32_t, 3>;

}  // namespace

TEST_CASE("Kineto fields: an integer may stand in quotes or have a fraction of zero") {
  CHECK(read_integer("17") == 17);
  CHECK(read_integer(" \"-1\" \n") == -1);
  CHECK(read_integer("7.000") == 7);
  for (const char* wrong :
       {"", "\"\"", "7.5", "x", "7x", "1e3", "99999999999999999999", "null", "{"})
    CHECK_FALSE(read_integer(wrong).has_value());
}

TEST_CASE("Kineto fields: a stream may be told by the number at the end of a text") {
  CHECK(read_last_integer("\"stream 7\"") == 7);
  CHECK(read_last_integer("20") == 20);
  CHECK_FALSE(read_last_integer("-1").has_value());
  CHECK_FALSE(read_last_integer("\"main thread\"").has_value());
}

TEST_CASE("Kineto fields: a triple is an array or a text, and ends where it ends") {
  CHECK(read_triple("[2, 66, 1], \"block\": [384, 1, 1]") == Triple{2, 66, 1});
  CHECK(read_triple("[\"2\", \"66\", \"1\"]}") == Triple{2, 66, 1});
  CHECK(read_triple("\"(2, 66, 1)\"") == Triple{2, 66, 1});
  CHECK(read_triple("\"2x66x1\", \"x\": 9") == Triple{2, 66, 1});
  CHECK(read_triple("\"5\", \"block\": [384, 1, 1]") == Triple{5, 0, 0});
  CHECK(read_triple("5, \"block\": [384, 1, 1]") == Triple{5, 0, 0});
  CHECK(read_triple("[2, 66], 9]") == Triple{2, 66, 0});
  CHECK(read_triple("[]") == Triple{});
  CHECK(read_triple("") == Triple{});
  CHECK(read_triple("\"") == Triple{});
  CHECK(read_triple("[4294967295, 1, 1]") == Triple{4294967295, 1, 1});
  CHECK(read_triple("[4294967296, 1, 1]") == Triple{});
}
