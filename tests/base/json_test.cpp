#include "sim/base/json.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;
using namespace std::chrono_literals;

namespace {

JsonDocument document(std::string_view text) {
  return JsonDocument::parse(text, "s.json");
}

// The value under "a" in {"a": <text>}.
JsonValue member(std::string_view text) {
  return document("{\"a\": " + std::string(text) + "}").root().object().required("a");
}

}  // namespace

TEST_CASE("Json: each type of value reads as itself") {
  CHECK(member("null").is_null());
  CHECK(member("\"text\"").string() == "text");
  CHECK(member("true").boolean());
  CHECK(member("0.6").number() == 0.6);
  CHECK(member("7").number() == 7.0);
  CHECK(member("-3").integer_in(-3, 3) == -3);
  CHECK(member("\"1.1 us\"").duration() == 1100ns);
  CHECK(member("\"7168 B\"").bytes() == Bytes{7168});
  CHECK(member("\"450 GB/s\"").bandwidth() == Bandwidth{450e9});
  CHECK(member("[1, 2]").array().size() == 2);
  CHECK(member("{}").object().keys().empty());
  CHECK(member("\"zipf\"").one_of({"uniform", "zipf"}) == 1);
}

TEST_CASE("Json: the wrong type says what was expected and what was found") {
  CHECK_THROWS_WITH_AS(
      (void)member("7").string(), "s.json: /a: expected a string, found 7", InputError);
  CHECK_THROWS_WITH_AS((void)member("\"yes\"").boolean(),
                       "s.json: /a: expected true or false, found \"yes\"",
                       InputError);
  CHECK_THROWS_WITH_AS(
      (void)member("{}").number(), "s.json: /a: expected a number, found an object", InputError);
  CHECK_THROWS_WITH_AS((void)member("[1, 2]").object(),
                       "s.json: /a: expected an object, found an array of 2",
                       InputError);
  CHECK_THROWS_WITH_AS(
      (void)member("null").array(), "s.json: /a: expected an array, found null", InputError);
  CHECK_THROWS_WITH_AS((void)member("\"fast\"").one_of({"uniform", "zipf"}),
                       "s.json: /a: expected one of uniform, zipf, found \"fast\"",
                       InputError);
}

TEST_CASE("Json: a whole number stays in its range and has no fraction") {
  const char* expected = "s.json: /a: expected a whole number from 1 to 8, found ";
  for (const std::string text : {"0", "9", "1.0", "\"4\"", "18446744073709551615", "-1"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(
        (void)member(text).integer_in(1, 8), (expected + std::string(text)).c_str(), InputError);
  }
  CHECK(member("1").integer_in(1, 8) == 1);
  CHECK(member("8").integer_in(1, 8) == 8);
}

TEST_CASE("Json: a number stays in its range, borders included") {
  CHECK(member("0").number_in(0, 2) == 0.0);
  CHECK(member("2").number_in(0, 2) == 2.0);
  CHECK_THROWS_WITH_AS((void)member("2.5").number_in(0, 2),
                       "s.json: /a: expected a number from 0 to 2, found 2.5",
                       InputError);
}

TEST_CASE("Json: a quantity without its unit is an error that shows how to write it") {
  CHECK_THROWS_WITH_AS((void)member("1.1").duration(),
                       "s.json: /a: expected a time with its unit, such as \"1.1 us\", found 1.1",
                       InputError);
  CHECK_THROWS_WITH_AS((void)member("\"1.1\"").duration(),
                       "s.json: /a: \"1.1\" has no unit; write for example \"1.1 us\"",
                       InputError);
  CHECK_THROWS_WITH_AS((void)member("7168").bytes(),
                       "s.json: /a: expected a size with its unit, such as \"7168 B\", found 7168",
                       InputError);
  CHECK_THROWS_WITH_AS(
      (void)member("450").bandwidth(),
      "s.json: /a: expected a bandwidth with its unit, such as \"450 GB/s\", found 450",
      InputError);
}

TEST_CASE("Json: a missing key is named with the place it is missing from") {
  JsonObject object = member("{\"b\": 1}").object();
  CHECK_THROWS_WITH_AS(
      (void)object.required("seed"), "s.json: /a: missing key \"seed\"", InputError);
  CHECK_FALSE(object.optional("seed").has_value());
  CHECK(object.optional("b").has_value());
}

TEST_CASE("Json: a misspelt key is an error that names the one it could have been") {
  JsonObject object = document("{\"topk\": 8, \"seed\": 7}").root().object();
  (void)object.optional("seed");
  (void)object.optional("top_k");
  CHECK_THROWS_WITH_AS(
      object.finish(), "s.json: /topk: unknown key; did you mean \"top_k\"?", InputError);
}

TEST_CASE("Json: a key like no other is an error that lists the known ones") {
  JsonObject object = document("{\"colour\": 8}").root().object();
  (void)object.optional("seed");
  (void)object.optional("top_k");
  CHECK_THROWS_WITH_AS(
      object.finish(), "s.json: /colour: unknown key; expected one of seed, top_k", InputError);
}

TEST_CASE("Json: an object read to its last key is good") {
  JsonObject object = document("{\"seed\": 7}").root().object();
  (void)object.required("seed");
  (void)object.optional("top_k");
  CHECK_NOTHROW(object.finish());
}

TEST_CASE("Json: a key that stands twice in one object is an error, in two objects it is not") {
  CHECK_THROWS_WITH_AS((void)document(R"({"a": {"seed": 1, "top_k": 2, "seed": 3}})"),
                       "s.json: key \"seed\" stands twice in one object",
                       InputError);
  CHECK_NOTHROW((void)document(R"({"a": {"seed": 1}, "b": [{"seed": 2}, {"seed": 3}]})"));
}

TEST_CASE("Json: what is not JSON is one line that says where it stops being JSON") {
  // By hand, bytes counted from 1: the x is the 7th of {"a": x}.
  CHECK_THROWS_WITH_AS((void)document("{\"a\": x}"),
                       "s.json: expected JSON, found something else near byte 7",
                       InputError);
  for (const std::string text :
       {"x", "{", "[1,]", "{\"a\" 1}", "{} {}", "nul", "\"open", "\xff", "NaN"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS((void)document(text),
                         doctest::Contains("s.json: expected JSON, found something else near byte"),
                         InputError);
  }
}

TEST_CASE("Json: an empty file is called empty") {
  for (const char* text : {"", " \r\n\t"})
    CHECK_THROWS_WITH_AS(
        (void)document(text), "s.json: expected JSON, found an empty file", InputError);
}

TEST_CASE("Json: a place is a JSON pointer, in which ~ and / are escaped") {
  // RFC 6901: ~ becomes ~0, / becomes ~1; array elements count from 0.
  const JsonValue value = document(R"({"a/b": {"m~n": [1, "x"]}})").root();
  const JsonValue inner = value.object().required("a/b").object().required("m~n");
  CHECK(inner.place() == "/a~1b/m~0n");
  CHECK_THROWS_WITH_AS((void)inner.array()[1].number(),
                       "s.json: /a~1b/m~0n/1: expected a number, found \"x\"",
                       InputError);
}

TEST_CASE("Json: the root itself needs no place in a message") {
  CHECK_THROWS_WITH_AS((void)document("[]").root().object(),
                       "s.json: expected an object, found an array of 0",
                       InputError);
}

TEST_CASE("Json: integers are appended in order, and one out of range is named by its place") {
  std::vector<std::int32_t> values{9};
  member("[3, -1, 255]").append_integers(-1, 255, values);
  CHECK(values == std::vector<std::int32_t>{9, 3, -1, 255});
  CHECK_THROWS_WITH_AS(member("[3, 256]").append_integers(-1, 255, values),
                       "s.json: /a/1: expected a whole number from -1 to 255, found 256",
                       InputError);
  CHECK_THROWS_WITH_AS(member("[0.5]").append_integers(-1, 255, values),
                       "s.json: /a/0: expected a whole number from -1 to 255, found 0.5",
                       InputError);
  CHECK_THROWS_AS(member("7").append_integers(0, 9, values), InputError);
}

TEST_CASE("Json: found text in a message is cut to a length a person can read") {
  const std::string message = [] {
    try {
      (void)member("\"" + std::string(5000, 'x') + "\"").number();
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string();
  }();
  CHECK(message.starts_with("s.json: /a: expected a number, found \"xxx"));
  CHECK(message.size() < 120);
}

TEST_CASE("Json: set replaces or adds what a dotted path names") {
  JsonDocument edited = document(R"({"traffic": {"top_k": 8}})");
  edited.set("traffic.top_k", "4");
  edited.set("traffic.kind", "zipf");         // not JSON, so it is text
  edited.set("payload.dispatch", "\"fp8\"");  // JSON text; the object in between is made
  edited.set("ranks", "[0, 1]");
  CHECK(edited.root().dump() ==
        R"({"traffic":{"top_k":4,"kind":"zipf"},"payload":{"dispatch":"fp8"},"ranks":[0,1]})");
}

TEST_CASE("Json: set through something that is not an object is an error that names the path") {
  JsonDocument edited = document(R"({"traffic": {"top_k": 8}})");
  CHECK_THROWS_WITH_AS(edited.set("traffic.top_k.low", "4"),
                       "s.json: /traffic/top_k: --set traffic.top_k.low: not an object",
                       InputError);
  for (const std::string path : {"", ".", "a.", ".a", "a..b"}) {
    CAPTURE(path);
    CHECK_THROWS_WITH_AS(edited.set(path, "4"), doctest::Contains("expected a key"), InputError);
  }
}

TEST_CASE("Json: a value keeps its document alive") {
  const JsonValue kept = [] { return member("\"still here\""); }();
  CHECK(kept.string() == "still here");
  CHECK(kept.file() == "s.json");
}

TEST_CASE("Json: 64 MB of junk are one clear line") {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "junk.json";
  {
    std::ofstream out(path, std::ios::binary);
    const std::string piece = std::string(999'999, 'j') + '\n';
    for (int i = 0; i < 64; ++i) out << piece;
  }
  CHECK_THROWS_WITH_AS(
      (void)JsonDocument::read(path),
      (path.string() + ": expected JSON, found something else near byte 1").c_str(),
      InputError);
}

TEST_CASE("Json: a number that no double holds is an input error") {
  CHECK_THROWS_WITH_AS(
      (void)document("{\"a\": 1e400}"), "s.json: a number is too large for a double", InputError);
}

TEST_CASE("Json: the largest unsigned number does not pass for a masked expert") {
  std::vector<std::int32_t> values;
  CHECK_THROWS_AS(member("[18446744073709551615]").append_integers(-1, 255, values), InputError);
}

TEST_CASE("Json: a document has a limit of depth and of keys, which junk meets early") {
  const std::string deep = std::string(101, '[') + std::string(101, ']');
  CHECK_NOTHROW((void)document(deep.substr(1, 200)));
  CHECK_THROWS_WITH_AS((void)document(deep), "s.json: nested deeper than 100 levels", InputError);
  CHECK_THROWS_WITH_AS((void)document(std::string(10'000'000, '[')),
                       "s.json: nested deeper than 100 levels",
                       InputError);
  std::string wide = "{\"k\": 0";
  for (int i = 0; i < 4096; ++i) wide += ", \"k" + std::to_string(i) + "\": 0";
  CHECK_THROWS_WITH_AS(
      (void)document(wide + "}"), "s.json: more than 4096 keys in one object", InputError);
}

TEST_CASE("Json: a message is one line of a length a person can read, whatever was found") {
  const JsonObject object =
      document("{\"a\\nb\\u001b" + std::string(100'000, 'x') + "\": 1}").root().object();
  try {
    object.finish();
    FAIL("an unknown key was accepted");
  } catch (const InputError& error) {
    const std::string message = error.what();
    CHECK(message.starts_with("s.json: /a?b?xxx"));
    CHECK(message.size() < 1100);
  }
}

TEST_CASE("Json: set takes bytes that are not UTF-8 and shows them as U+FFFD") {
  JsonDocument edited = document("{}");
  edited.set("a", "\xff");
  CHECK(edited.root().dump() == "{\"a\":\"\xEF\xBF\xBD\"}");
}
