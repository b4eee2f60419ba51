#include "sim/base/quantity_text.hpp"

#include <chrono>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"

using namespace epsim;
using namespace std::chrono_literals;

TEST_CASE("quantity text: each unit of time means what it says") {
  CHECK(parse_duration("7 ps") == Duration{7});
  CHECK(parse_duration("350 ns") == 350ns);
  CHECK(parse_duration("1.1 us") == 1100ns);
  CHECK(parse_duration("2 ms") == 2ms);
  CHECK(parse_duration("1 s") == 1s);
}

TEST_CASE("quantity text: a time is rounded to the nearest picosecond") {
  CHECK(parse_duration("0.0004 ns") == Duration{0});
  CHECK(parse_duration("0.0005 ns") == Duration{1});
}

TEST_CASE("quantity text: GB is a power of ten and GiB is a power of two") {
  CHECK(parse_bytes("7168 B") == Bytes{7168});
  CHECK(parse_bytes("14 kB") == Bytes{14'000});
  CHECK(parse_bytes("3 MB") == Bytes{3'000'000});
  CHECK(parse_bytes("1 GB") == Bytes{1'000'000'000});
  CHECK(parse_bytes("7 KiB") == Bytes{7168});           // 7 x 1024
  CHECK(parse_bytes("50 MiB") == Bytes{52'428'800});    // 50 x 1024 x 1024
  CHECK(parse_bytes("1 GiB") == Bytes{1'073'741'824});  // 1024^3
  CHECK(parse_bytes("0.5 KiB") == Bytes{512});
}

TEST_CASE("quantity text: each unit of bandwidth means what it says") {
  CHECK(parse_bandwidth("8 B/s") == Bandwidth{8});
  CHECK(parse_bandwidth("8 kB/s") == Bandwidth{8e3});
  CHECK(parse_bandwidth("8 MB/s") == Bandwidth{8e6});
  CHECK(parse_bandwidth("450 GB/s") == Bandwidth{450e9});
  CHECK(parse_bandwidth("4.8 TB/s") == Bandwidth{4.8e12});
  CHECK(parse_bandwidth("400 Gbit/s") == Bandwidth{50e9});  // 8 bits to a byte
}

TEST_CASE("quantity text: the space before the unit may be left out or doubled") {
  CHECK(parse_duration("350ns") == 350ns);
  CHECK(parse_duration("350  ns") == 350ns);
}

TEST_CASE("quantity text: a bare number is an error that shows how to write it") {
  CHECK_THROWS_WITH_AS((void)parse_duration("1.1"),
                       "\"1.1\" has no unit; write for example \"1.1 us\"",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)parse_bytes("7168"),
                       "\"7168\" has no unit; write for example \"7168 B\"",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)parse_bandwidth("450"),
                       "\"450\" has no unit; write for example \"450 GB/s\"",
                       std::invalid_argument);
}

TEST_CASE("quantity text: an unknown unit is an error that lists the known ones") {
  CHECK_THROWS_WITH_AS((void)parse_duration("3 h"),
                       "\"3 h\": unknown unit \"h\"; known: ps, ns, us, ms, s, min",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)parse_bytes("3 gb"),  // case matters
                       "\"3 gb\": unknown unit \"gb\"; known: B, kB, MB, GB, KiB, MiB, GiB",
                       std::invalid_argument);
  CHECK_THROWS_WITH_AS((void)parse_bandwidth("3 GB"),  // a size is no rate
                       "\"3 GB\": unknown unit \"GB\"; known: B/s, kB/s, MB/s, GB/s, TB/s, Gbit/s",
                       std::invalid_argument);
}

TEST_CASE("quantity text: what is not a finite number is not a quantity") {
  for (const std::string text : {"", " ", "us", "fast", "inf us", "nan us", "1e999 us", "+1 us"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS((void)parse_duration(text),
                         doctest::Contains("is not a number with a unit"),
                         std::invalid_argument);
  }
}

TEST_CASE("quantity text: bytes come whole") {
  CHECK_THROWS_WITH_AS((void)parse_bytes("0.5 B"),
                       "\"0.5 B\" is not a whole number of bytes",
                       std::invalid_argument);
}

TEST_CASE("quantity text: people read the unit they would choose") {
  CHECK(to_text(Duration{0}) == "0 ps");
  CHECK(to_text(Duration{999}) == "999 ps");
  CHECK(to_text(Duration{1'230}) == "1.23 ns");
  CHECK(to_text(Duration{48'211'000}) == "48.2 us");
  CHECK(to_text(Duration{131'400'000}) == "131.4 us");
  CHECK(to_text(Bytes{512}) == "512 B");
  CHECK(to_text(Bytes{14'336}) == "14.3 kB");
  CHECK(to_text(Bytes{58'720'256}) == "58.7 MB");
  CHECK(to_text(Bandwidth{450e9}) == "450.0 GB/s");
  CHECK(to_text(Bandwidth{4.8e12}) == "4.80 TB/s");
  CHECK(to_text(Duration{-48'211'000}) == "-48.2 us");  // a saving is a negative length
}

TEST_CASE("quantity text: exact text of a time parses back to the same time") {
  CHECK(to_exact_text(1100ns) == "1100 ns");
  CHECK(to_exact_text(2us) == "2 us");
  CHECK(to_exact_text(Duration{15'929}) == "15929 ps");
  constexpr std::uint64_t kSeed = 7;
  CAPTURE(kSeed);
  Rng rng(kSeed);
  for (int i = 0; i < 1000; ++i) {
    // Up to 2^50 ps, which is 19 minutes: far past any run, and exact in a double.
    const Duration length{static_cast<std::int64_t>(rng.next() >> 14)};
    CHECK(parse_duration(to_exact_text(length)) == length);
  }
}

TEST_CASE("quantity text: exact text of a datasheet bandwidth parses back to the same bandwidth") {
  CHECK(to_exact_text(Bandwidth{450e9}) == "450 GB/s");
  CHECK(to_exact_text(Bandwidth{45.7e9}) == "45.7 GB/s");
  for (int gb = 1; gb <= 8000; ++gb) {
    const Bandwidth rate{gb * 1e9};
    CHECK(parse_bandwidth(to_exact_text(rate)) == rate);
  }
}

TEST_CASE("quantity text: what 64 bits cannot hold is too large") {
  // 2^63 ps = 9.22e18 ps = 9.22e6 s.
  CHECK(parse_duration("9.2e6 s") == Duration{9'200'000'000'000'000'000});
  CHECK_THROWS_WITH_AS(
      (void)parse_duration("9.3e6 s"), "\"9.3e6 s\" is too large", std::invalid_argument);
  CHECK_THROWS_WITH_AS(
      (void)parse_bytes("1e30 B"), "\"1e30 B\" is too large", std::invalid_argument);
}

TEST_CASE(
    "quantity text: a decimal number of kilobytes is the whole number of bytes that it says") {
  for (int bytes = 1; bytes < 10'000; ++bytes) {
    const std::string digits = std::to_string(1000 + bytes % 1000).substr(1);
    CHECK(parse_bytes(std::to_string(bytes / 1000) + "." + digits + " kB") == Bytes{bytes});
  }
}

TEST_CASE("quantity text: exact text of any bandwidth parses back to the same bandwidth") {
  constexpr std::uint64_t kSeed = 7;
  CAPTURE(kSeed);
  Rng rng(kSeed);
  for (int i = 0; i < 1000; ++i) {
    const Bandwidth rate{rng.uniform() * 1e12};
    CHECK(parse_bandwidth(to_exact_text(rate)) == rate);
  }
}
