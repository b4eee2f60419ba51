#include "sim/base/units.hpp"

#include <chrono>
#include <type_traits>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/ids.hpp"

using namespace epsim;
using namespace std::chrono_literals;

// What must compile, and what must not.
template <class A, class B>
concept Addable = requires(A a, B b) {
  a + b;
};
template <class A, class B>
concept Divisible = requires(A a, B b) {
  a / b;
};
template <class A, class B>
concept Comparable = requires(A a, B b) {
  a < b;
};

static_assert(Addable<Instant, Duration>);
static_assert(!Addable<Instant, Instant>);
static_assert(!Addable<Bytes, Duration>);
static_assert(!Addable<Bytes, int>);
static_assert(Divisible<Bytes, Bandwidth>);
static_assert(!Divisible<Bandwidth, Bytes>);
static_assert(!Divisible<Duration, Bandwidth>);
static_assert(Comparable<Bytes, Bytes>);
static_assert(!Comparable<Bytes, Bandwidth>);
static_assert(!Comparable<Instant, Duration>);
static_assert(!std::is_convertible_v<double, Bandwidth>);
static_assert(!std::is_convertible_v<int, Bytes>);
static_assert(!std::is_convertible_v<double, Duration>);
static_assert(!std::is_convertible_v<std::chrono::duration<double>, Duration>);  // would lose ps
static_assert(std::is_convertible_v<std::chrono::nanoseconds, Duration>);
static_assert(!std::is_convertible_v<Duration, std::chrono::nanoseconds>);

static_assert(!Comparable<RankId, ExpertId>);
static_assert(!std::is_convertible_v<int, RankId>);
static_assert(!std::is_convertible_v<RankId, std::size_t>);
static_assert(!std::is_constructible_v<RankId, ExpertId>);

TEST_CASE("units: a moment and a length add up to a later moment") {
  const Instant start = Instant{} + 2us;
  CHECK(start + 350ns == Instant{2350ns});
  CHECK((start + 350ns) - start == Duration{350'000});  // 350 ns = 350'000 ps
}

TEST_CASE("units: transfer time is rounded up to the next picosecond") {
  // By hand: 7168 B / 450e9 B/s = 15.92888... ns, so 15'929 ps.
  CHECK(Bytes{7168} / Bandwidth{450e9} == Duration{15'929});
  // 1 B / 450e9 B/s = 2.22 ps, so 3 ps.
  CHECK(Bytes{1} / Bandwidth{450e9} == Duration{3});
}

TEST_CASE("units: a transfer time that is whole is not rounded") {
  // 450 B / 450e9 B/s = 1 ns; 14336 B / 1e12 B/s = 14.336 ns.
  CHECK(Bytes{450} / Bandwidth{450e9} == 1ns);
  CHECK(Bytes{14'336} / Bandwidth{1e12} == Duration{14'336});
  // 36 GB / 450 GB/s = 80 ms: large sizes stay exact as well.
  CHECK(Bytes{36'000'000'000} / Bandwidth{450e9} == 80ms);
}

TEST_CASE("units: no bytes take no time") {
  CHECK(Bytes{0} / Bandwidth{450e9} == Duration::zero());
}

TEST_CASE("units: numbers at the border keep their unit and round to the nearest picosecond") {
  CHECK(from_us(1.1) == Duration{1'100'000});
  CHECK(from_ns(0.0004) == Duration{0});  // 0.4 ps
  CHECK(from_ns(0.0005) == Duration{1});  // 0.5 ps: halves go away from zero
  CHECK(from_ns(-0.0005) == Duration{-1});
  CHECK(to_us(Duration{48'211'000}) == doctest::Approx(48.211));
  CHECK(to_ns(Duration{48'211'000}) == doctest::Approx(48'211.0));
}

TEST_CASE("units: an id indexes the vector of its own kind") {
  const RankId rank{3};
  CHECK(rank.index() == 3);
  CHECK(RankId{2} < rank);
  CHECK(RankId{} == RankId{0});
}

TEST_CASE("units: a bandwidth of zero carries nothing, so nothing is divided by it") {
  CHECK_THROWS_AS((void)(Bytes{1} / Bandwidth{0}), Bug);
  CHECK_THROWS_AS((void)(Bytes{0} / Bandwidth{-1}), Bug);
}
