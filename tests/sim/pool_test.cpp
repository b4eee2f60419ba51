#include "sim/pool.hpp"

#include <doctest/doctest.h>

using namespace epsim;

TEST_CASE("Pool: a slot that was given back is used again, so it grows with what is in flight") {
  Pool<int> pool;
  const std::uint32_t first = pool.put(10);
  const std::uint32_t second = pool.put(20);
  CHECK(first != second);
  CHECK(pool[first] == 10);
  CHECK(pool[second] == 20);
  pool.release(first);
  CHECK(pool.put(30) == first);
  CHECK(pool[first] == 30);
  CHECK(pool[second] == 20);
  CHECK(pool.put(40) == 2);
}
