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
  for (const std::uint32_t cta : {7U, 3U, 5U, 4U}) pool.enqueue({.cta = cta, .ctas_per_sm = 1});
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
    for (std::uint32_t cta = 0; cta < 40; ++cta)
      pool.enqueue({.cta = cta, .ctas_per_sm = ctas_per_sm});
    CHECK(placed(pool).size() == ctas_per_sm);
  }
}

TEST_CASE("SmPool: a CTA that needs a whole SM is not overtaken by a small one behind it") {
  SmPool pool(1);
  pool.enqueue({.cta = 0, .ctas_per_sm = 2});
  pool.enqueue({.cta = 1, .ctas_per_sm = 1});
  pool.enqueue({.cta = 2, .ctas_per_sm = 2});
  CHECK(placed(pool) == Ctas{0});  // half an SM is free, but CTA 1 comes first
  pool.leave(2);
  CHECK(placed(pool) == Ctas{1});
  pool.leave(1);
  CHECK(placed(pool) == Ctas{2});
}

TEST_CASE("SmPool: a kernel with no CTA, or more than 32, to an SM is a bug") {
  SmPool pool(1);
  CHECK_THROWS_AS(pool.enqueue({.cta = 0, .ctas_per_sm = 0}), Bug);
  CHECK_THROWS_AS(pool.enqueue({.cta = 0, .ctas_per_sm = 33}), Bug);
}

TEST_CASE("SmPool: CTAs that start together wait for room for all of them") {
  SmPool pool(4);
  pool.enqueue({.cta = 0});
  pool.enqueue({.cta = 10, .count = 4});
  pool.enqueue({.cta = 20});
  CHECK(placed(pool) == Ctas{0});  // 3 SMs are free, 4 are wanted, and nobody overtakes
  pool.leave(1);
  CHECK(placed(pool) == Ctas{10, 11, 12, 13});
  CHECK(pool.sms_in_use() == 4);
  pool.leave(1);
  CHECK(placed(pool) == Ctas{20});
  CHECK_THROWS_AS(pool.enqueue({.cta = 0, .count = 5}), Bug);
}

TEST_CASE("SmPool: urgent CTAs take room before those that came earlier") {
  SmPool pool(2);
  for (const std::uint32_t cta : {0U, 1U, 2U}) pool.enqueue({.cta = cta});
  CHECK(placed(pool) == Ctas{0, 1});
  pool.enqueue({.cta = 7, .count = 2, .is_urgent = true});
  pool.leave(1);
  CHECK(placed(pool).empty());  // CTA 2 would fit, the urgent pair does not yet
  pool.leave(1);
  CHECK(placed(pool) == Ctas{7, 8});
  pool.leave(1);
  CHECK(placed(pool) == Ctas{2});
}
