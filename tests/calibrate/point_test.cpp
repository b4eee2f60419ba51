#include "calibrate/point.hpp"

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

TEST_CASE("Point: arguments keep their order, and an integer reads back") {
  const Point point = Point().with("scope", "sys").with("ctas", 132);
  CHECK(point.label() == "scope=sys ctas=132");
  CHECK(point.text("scope") == "sys");
  CHECK(point.integer("ctas") == 132);
  CHECK(point.has("ctas"));
  CHECK_FALSE(point.has("warps"));
}

TEST_CASE("Point: equal arguments make equal points, another order makes another point") {
  CHECK(Point().with("a", 1).with("b", 2) == Point().with("a", 1).with("b", 2));
  CHECK_FALSE(Point().with("a", 1).with("b", 2) == Point().with("b", 2).with("a", 1));
}

TEST_CASE("Point: asking for what its sweep did not write is a bug") {
  Point point = Point().with("scope", "sys");
  CHECK_THROWS_AS((void)point.text("ctas"), Bug);
  CHECK_THROWS_AS((void)point.integer("scope"), Bug);
  CHECK_THROWS_AS(point.with("scope", "gpu"), Bug);
}
