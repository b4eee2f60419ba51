#include "sim/base/json_writer.hpp"

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/check.hpp"
#include "sim/base/json.hpp"
#include "sim/base/rng.hpp"

using namespace epsim;

namespace {

template <typename T>
std::string written(const T& value) {
  std::string text = JsonWriter().value(value).take();
  text.pop_back();  // the newline
  return text;
}

}  // namespace

TEST_CASE("JsonWriter: a double is the shortest text that reads back the same") {
  CHECK(written(0.1) == "0.1");
  CHECK(written(48.211) == "48.211");
  CHECK(written(1.0 / 3.0) == "0.3333333333333333");
  CHECK(written(5.0) == "5");
  CHECK(written(1e300) == "1e+300");
  constexpr std::uint64_t kSeed = 7;
  CAPTURE(kSeed);
  Rng rng(kSeed);
  for (int i = 0; i < 1000; ++i) {
    const double value = rng.uniform() * 1e6;
    CHECK(std::strtod(written(value).c_str(), nullptr) == value);
  }
}

TEST_CASE("JsonWriter: what is not finite has no JSON number and becomes null") {
  CHECK(written(std::numeric_limits<double>::infinity()) == "null");
  CHECK(written(std::numeric_limits<double>::quiet_NaN()) == "null");
}

TEST_CASE("JsonWriter: integers keep every digit") {
  CHECK(written(INT64_MIN) == "-9223372036854775808");
  CHECK(written(UINT64_MAX) == "18446744073709551615");
  CHECK(written(true) == "true");
  CHECK(written(false) == "false");
}

TEST_CASE("JsonWriter: text is escaped") {
  CHECK(json_quote("plain") == R"("plain")");
  CHECK(json_quote("a\"b\\c\n\t") == R"("a\"b\\c\n\t")");
  CHECK(json_quote(std::string_view("\x01", 1)) == R"("\u0001")");
  CHECK(json_quote("µs") == "\"µs\"");              // UTF-8 stays as it is
  CHECK(json_quote("\xff") == "\"\xEF\xBF\xBD\"");  // what is not UTF-8 becomes U+FFFD
}

TEST_CASE("JsonWriter: outer levels get a line an element, inner ones stay on one line") {
  JsonWriter writer;
  writer.begin_object().field("schema", "epsim.report/1");
  writer.key("phases").begin_array();
  writer.begin_object().field("name", "send").field("us", 1.5).end_object();
  writer.begin_object().field("name", "wait").field("us", 2).end_object();
  writer.end_array();
  writer.key("none").begin_array().end_array();
  writer.key("nothing").null().end_object();

  CHECK(writer.take() ==
        "{\n"
        "  \"schema\": \"epsim.report/1\",\n"
        "  \"phases\": [\n"
        "    {\"name\": \"send\", \"us\": 1.5},\n"
        "    {\"name\": \"wait\", \"us\": 2}\n"
        "  ],\n"
        "  \"none\": [],\n"
        "  \"nothing\": null\n"
        "}\n");
}

TEST_CASE("JsonWriter: what it writes, the strict reader reads") {
  JsonWriter writer(0);
  writer.begin_object().key("a/b").begin_array().value(1).value("x\ny").null().end_array();
  const std::string text = writer.end_object().take();
  CHECK(text == "{\"a/b\": [1, \"x\\ny\", null]}\n");

  const auto elements =
      JsonDocument::parse(text, "written").root().object().required("a/b").array();
  REQUIRE(elements.size() == 3);
  CHECK(elements[0].integer_in(0, 9) == 1);
  CHECK(elements[1].string() == "x\ny");
  CHECK(elements[2].is_null());
}

TEST_CASE("JsonWriter: what was opened must be closed, and nothing else") {
  JsonWriter open;
  open.begin_object();
  CHECK_THROWS_AS((void)open.take(), Bug);
  JsonWriter dangling;
  dangling.begin_object().key("a");
  CHECK_THROWS_AS(dangling.end_object(), Bug);
  JsonWriter closed;
  CHECK_THROWS_AS(closed.end_array(), Bug);
}

TEST_CASE("JsonWriter: what would not be JSON is a bug") {
  CHECK_THROWS_AS(JsonWriter().begin_object().end_array(), Bug);
  CHECK_THROWS_AS(JsonWriter().begin_object().value(1), Bug);
  CHECK_THROWS_AS(JsonWriter().begin_array().key("a"), Bug);
  CHECK_THROWS_AS(JsonWriter().begin_object().key("a").key("b"), Bug);
  CHECK_THROWS_AS(JsonWriter().value(1).value(2), Bug);
  CHECK_THROWS_AS(JsonWriter().key("a"), Bug);
  CHECK_THROWS_AS((void)JsonWriter().take(), Bug);
}
