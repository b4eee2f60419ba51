#include "traces/profiler_time.hpp"

#include <doctest/doctest.h>

using namespace epsim;

namespace {

constexpr auto kUs = ProfilerUnit::microsecond;
constexpr auto kNs = ProfilerUnit::nanosecond;

}  // namespace

TEST_CASE("profiler time: microseconds since 1970 keep every nanosecond") {
  // A double has 53 bits: near 1.7e15 us it counts in quarters of a microsecond.
  CHECK(read_nanoseconds("1707417525512145.001", kUs) == 1707417525512145001);
  CHECK(read_nanoseconds("1707417525512145", kUs) == 1707417525512145000);
  CHECK(read_nanoseconds("4384838331038.51", kUs) == 4384838331038510);
  CHECK(read_nanoseconds("0.768", kUs) == 768);
  CHECK(read_nanoseconds(".5", kUs) == 500);
  CHECK(read_nanoseconds("3.", kUs) == 3000);
}

TEST_CASE("profiler time: a number may stand in quotes and have blanks around it") {
  CHECK(read_nanoseconds("\"12.250\"", kUs) == 12250);
  CHECK(read_nanoseconds(" \"12\" \n", kUs) == 12000);
}

TEST_CASE("profiler time: digits below a nanosecond are rounded, halves away from zero") {
  CHECK(read_nanoseconds("1.0004999", kUs) == 1000);
  CHECK(read_nanoseconds("1.0005", kUs) == 1001);
  CHECK(read_nanoseconds("-1.0005", kUs) == -1001);
  CHECK(read_nanoseconds("17.5", kNs) == 18);
}

TEST_CASE("profiler time: an exponent moves the point") {
  CHECK(read_nanoseconds("1.790857e+15", kUs) == 1790857000000000000);
  CHECK(read_nanoseconds("5E-1", kUs) == 500);
  CHECK(read_nanoseconds("1234.5e-2", kUs) == 12345);
  CHECK(read_nanoseconds("0e40", kUs) == 0);
  for (const char* wrong : {"1e", "1e+", "1e1x", "1e41", "1e-41", "9e39"})
    CHECK_FALSE(read_nanoseconds(wrong, kUs).has_value());
}

TEST_CASE("profiler time: what is no number, or none that fits, is nothing") {
  for (const char* wrong : {"",
                            "\"\"",
                            "NaN",
                            "nan",
                            "-nan(ind)",
                            "Infinity",
                            "-",
                            ".",
                            "null",
                            "1,5",
                            "0x10",
                            "1 2",
                            "99999999999999999999",
                            "4611686018427387905"})
    CHECK_FALSE(read_nanoseconds(wrong, kUs).has_value());
  // 2^62 ns is the most.
  CHECK(read_nanoseconds("4611686018427387.904", kUs) == 4611686018427387904);
  CHECK_FALSE(read_nanoseconds("4611686018427387.905", kUs).has_value());
}

TEST_CASE("profiler time: a moment of today in nanoseconds is told from one in microseconds") {
  CHECK(unit_of_moment("1707417525512145001") == kNs);  // 2024-02-08
  CHECK(unit_of_moment("1707417525512145.001") == kUs);
  CHECK(unit_of_moment("1707417525512145.0012345") == kUs);
  CHECK(unit_of_moment("4384838331038.51") == kUs);
  CHECK(unit_of_moment("not a number, and long") == kUs);
}
