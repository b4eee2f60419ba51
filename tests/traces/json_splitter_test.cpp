#include "traces/json_splitter.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/rng.hpp"
#include "traces/bracket_scanner.hpp"

using namespace epsim;

namespace {

struct Pieces {
  std::vector<std::string> elements;
  std::vector<std::string> members;  // "key=value"
  std::vector<std::uint64_t> offsets;
  JsonSplitter::Ending ending;
};

Pieces pieces_of(const std::string& text, std::size_t longest_piece = JsonSplitter::kLongestPiece) {
  ByteStream stream = ByteStream::of_bytes(text, "dump");
  JsonSplitter splitter(stream, "traceEvents", longest_piece);
  Pieces pieces;
  for (JsonPiece piece; splitter.next(piece);) {
    CHECK(text.substr(piece.offset, piece.text.size()) == piece.text);
    if (piece.is_element)
      pieces.elements.emplace_back(piece.text);
    else
      pieces.members.push_back(std::string(piece.key) + "=" + std::string(piece.text));
    pieces.offsets.push_back(piece.offset);
  }
  pieces.ending = splitter.ending();
  return pieces;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("JsonSplitter: elements of the array and members around it come in order") {
  const Pieces pieces = pieces_of(
      R"({"a": 1, "b": "x,]", "c": {"d": [2]}, "traceEvents": [{"e": 3}, {"f": [{}]}], "g": -1.5, "h": null})");
  CHECK(pieces.elements == Texts{R"({"e": 3})", R"({"f": [{}]})"});
  CHECK(pieces.members == Texts{"a=1", R"(b="x,]")", R"(c={"d": [2]})", "g=-1.5", "h=null"});
  CHECK(pieces.ending.has_array);
  CHECK_FALSE(pieces.ending.cut_short.has_value());
  CHECK_FALSE(pieces.ending.text_behind.has_value());
  CHECK(pieces.ending.stray_count == 0);
}

TEST_CASE("JsonSplitter: a bare array is the array") {
  const Pieces pieces = pieces_of("\xef\xbb\xbf \n[{\"a\": 1},\n{\"b\": 2}]\n");
  CHECK(pieces.elements == Texts{"{\"a\": 1}", "{\"b\": 2}"});
  CHECK(pieces.ending.has_array);
  CHECK(pieces_of("[]").elements.empty());
}

TEST_CASE("JsonSplitter: brackets and quotes inside of strings are text") {
  const Pieces pieces = pieces_of(R"([{"a": "}]\"}{"}, {"b": "\\"}, {"c": "\\\"}"}])");
  CHECK(pieces.elements == Texts{R"({"a": "}]\"}{"})", R"({"b": "\\"})", R"({"c": "\\\"}"})"});
}

TEST_CASE("JsonSplitter: a document that ends too early gives what is whole and names the byte") {
  //                0         1         2         3
  //                0123456789012345678901234567890123456789
  const std::string text = R"({"traceEvents": [{"a": 1}, {"b": "2)";
  const Pieces pieces = pieces_of(text);
  CHECK(pieces.elements == Texts{"{\"a\": 1}"});
  CHECK(pieces.ending.cut_short == 27);
  CHECK(pieces_of(R"([{"a": 1},)").ending.cut_short == 9);
  CHECK(pieces_of("[").ending.cut_short == 1);
  for (std::size_t size = 1; size < text.size(); ++size)
    CHECK(pieces_of(text.substr(0, size)).ending.cut_short.has_value());
}

TEST_CASE("JsonSplitter: text behind the document, and text between elements, are told") {
  const Pieces pieces = pieces_of("[{}, 17 {}, null]  {\"again\": 1}");
  CHECK(pieces.elements == Texts{"{}", "{}"});
  CHECK(pieces.ending.text_behind == 19);
  CHECK(pieces.ending.stray_count == 2);
  CHECK(pieces.ending.first_stray == 5);
}

TEST_CASE("JsonSplitter: what is no JSON document is an error that names the byte") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "dump: byte 0: an empty file"},
      {" \n", "dump: byte 0: an empty file"},
      {" hello", "dump: byte 1: expected the '{' or '['"},
      {"  x = {", "dump: byte 2: expected the '{' or '['"},
      {"]", "dump: byte 0: expected the '{' or '['"}};
  for (const auto& [text, message] : wrong) {
    CAPTURE(text);
    std::string said = "no error";
    try {
      (void)pieces_of(text);
    } catch (const InputError& error) {
      said = error.what();
    }
    CHECK(said.starts_with(message));
  }
}

TEST_CASE("JsonSplitter: long values cross the edges of its buffer whole") {
  // 3 MB in one element, then 100'000 small ones: the buffer grows and is refilled many times.
  std::string text = "{\"front\": [\"" + std::string(1'000'000, 'f') +
                     "\"], \"traceEvents\": [{\"long\": \"" + std::string(3'000'000, '[') + "\"}";
  for (int i = 0; i < 100'000; ++i) text += ",\n  {\"i\": " + std::to_string(i) + "}";
  text += "], \"back\": {\"x\": 1}}";
  const Pieces pieces = pieces_of(text);
  REQUIRE(pieces.elements.size() == 100'001);
  CHECK(pieces.elements[0].size() == 3'000'000 + 12);  // {"long": ""} has 12 signs
  CHECK(pieces.elements[100'000] == "{\"i\": 99999}");
  REQUIRE(pieces.members.size() == 2);
  CHECK(pieces.members[1] == "back={\"x\": 1}");
  CHECK(pieces.ending.length == text.size());
}

TEST_CASE("JsonSplitter: a member too long to hold is left out, an element is an error") {
  constexpr std::size_t kLongest = 1U << 20;
  const std::string filler(kLongest * 4, ' ');
  const Pieces pieces =
      pieces_of("{\"big\": [" + filler + "], \"traceEvents\": [{\"a\": 1}]}", kLongest);
  CHECK(pieces.members.empty());
  CHECK(pieces.elements == Texts{"{\"a\": 1}"});
  CHECK_THROWS_WITH_AS(
      (void)pieces_of("[{" + filler + "}]", kLongest),
      "dump: byte 1: expected events of a profiler, found one longer than 1 MiB, or "
      "a string that never ends",
      InputError);
}

TEST_CASE("BracketScanner: 64 bytes at a step say what one byte at a time says") {
  Rng rng = Rng(7).stream("text");
  constexpr std::string_view kSigns = "\"\"\\\\[]{}a,: ";
  std::string text;
  for (int i = 0; i < 64 * 500; ++i)
    text += kSigns[static_cast<std::size_t>(rng.below(kSigns.size()))];
  BracketScanner scanner;
  bool is_in_string = false, is_escaped = false;
  for (std::size_t step = 0; step < text.size(); step += BracketScanner::kStep) {
    std::uint64_t open = 0, close = 0;
    for (std::size_t i = 0; i < BracketScanner::kStep; ++i) {
      const char c = text[step + i];
      const std::uint64_t bit = std::uint64_t{1} << i;
      if (is_escaped) {
        is_escaped = false;
        if (!is_in_string && (c == '[' || c == '{')) open |= bit;
        if (!is_in_string && (c == ']' || c == '}')) close |= bit;
        continue;
      }
      if (c == '\\') is_escaped = true;
      if (c == '"') is_in_string = !is_in_string;
      if (!is_in_string && (c == '[' || c == '{')) open |= bit;
      if (!is_in_string && (c == ']' || c == '}')) close |= bit;
    }
    const BracketScanner::Brackets found = scanner.step(text.data() + step);
    REQUIRE(found.open == open);
    REQUIRE(found.close == close);
    REQUIRE(scanner.is_in_string() == is_in_string);
  }
}
