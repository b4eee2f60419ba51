#include "sim/sm_pool.hpp"

#include <initializer_list>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"

using namespace epsim;

namespace {

using Ctas = std::vector<std::uint32_t>;

Ctas placed(SmPool& pool) {
  Ctas ctas;
  pool.place([&](std::uint32_t cta) { ctas.push_back(cta); });
  return ctas;
}

}  // namespace

TEST_CASE("SmPool: CTAs take room in the order in which they came") {
  SmPool pool(2);
  for (const std::uint32_t cta : {7U, 3U, 5U, 4U}) pool.enqueue(cta, 1);
  CHECK(placed(pool) == Ctas{7, 3});
  CHECK(placed(pool).empty());
  pool.leave(1);
  CHECK(placed(pool) == Ctas{5});
  pool.leave(1);
  pool.leave(1);
  CHECK(placed(pool) == Ctas{4});
}

TEST_CASE("SmPool: as many CTAs fit one SM as their kernel says") {
  for (const std::uint16_t ctas_per_sm :
       std::initializer_list<std::uint16_t>{1, 2, 3, 8, 11, 16, 32}) {
    CAPTURE(ctas_per_sm);
    SmPool pool(1);
    for (std::uint32_t cta = 0; cta < 40; ++cta) pool.enqueue(cta, ctas_per_sm);
    CHECK(placed(pool).size() == ctas_per_sm);
  }
}

TEST_CASE("SmPool: a CTA that needs a whole SM is not overtaken by a small one behind it") {
  SmPool pool(1);
  pool.enqueue(0, 2);
  pool.enqueue(1, 1);
  pool.enqueue(2, 2);
  CHECK(placed(pool) == Ctas{0});  // half an SM is free, but CTA 1 comes first
  pool.leave(2);
  CHECK(placed(pool) == Ctas{1});
  pool.leave(1);
  CHECK(placed(pool) == Ctas{2});
}

TEST_CASE("SmPool: a kernel with no CTA, or more than 32, to an SM is a bug") {
  SmPool pool(1);
  CHECK_THROWS_AS(pool.enqueue(0, 0), Bug);
  CHECK_THROWS_AS(pool.enqueue(0, 33), Bug);
}
