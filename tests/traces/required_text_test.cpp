#include "traces/required_text.hpp"

#include <regex>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "sim/base/rng.hpp"
#include "tests/support/seeds.hpp"

using namespace epsim;

namespace {

using Texts = std::vector<std::string>;

// A pattern of a few letters with everything that may stand around them.
std::string random_pattern(Rng& rng, int depth) {
  constexpr std::string_view kQuantifiers = "?*+";
  std::string pattern;
  for (std::uint64_t i = 1 + rng.below(4); i > 0; --i) {
    const std::uint64_t kind = rng.below(depth > 0 ? 7 : 6);
    if (kind < 3) pattern += static_cast<char>('a' + rng.below(3));
    if (kind == 3) pattern += ".";
    if (kind == 4) pattern += "[ab]";
    if (kind == 5) pattern += "\\w";
    if (kind == 6) pattern += "(" + random_pattern(rng, depth - 1) + ")";
    if (rng.below(3) == 0) pattern += kQuantifiers[rng.below(kQuantifiers.size())];
    if (rng.below(6) == 0) pattern += "|";
  }
  return pattern + "c";
}

}  // namespace

TEST_CASE("Required text: each alternative requires its longest run of plain characters") {
  CHECK(required_texts("abc") == Texts{"abc"});
  CHECK(required_texts("\\b(deep_ep|dpsk::ep)::.*combine") == Texts{"combine"});
  CHECK(required_texts("all_?reduce|twoshot") == Texts{"reduce", "twoshot"});
  CHECK(required_texts("abcd*e") == Texts{"abc"});
  CHECK(required_texts("a+bb") == Texts{"bb"});
  CHECK(required_texts("x{12}y") == Texts{"y"});
  CHECK(required_texts("^a[^]x]b$") == Texts{"a"});
}

TEST_CASE("Required text: a pattern with an alternative that requires nothing requires nothing") {
  CHECK(required_texts("abc|.*").empty());
  CHECK(required_texts("(abc)").empty());
  CHECK(required_texts("a?").empty());
  CHECK(required_texts("\\x41bc").empty());
  CHECK(required_texts("").empty());
}

TEST_CASE("Required text: whatever a pattern matches holds one of what it requires") {
  std::size_t matches = 0;
  for (const std::uint64_t seed : property_seeds(400)) {
    CAPTURE(seed);
    Rng rng(seed);
    const std::string pattern = random_pattern(rng, 2);
    CAPTURE(pattern);
    const Texts required = required_texts(pattern);
    const std::regex regex(pattern);
    for (int i = 0; i < 40; ++i) {
      std::string text;
      for (std::uint64_t n = rng.below(8); n > 0; --n)
        text += static_cast<char>('a' + rng.below(4));
      if (required.empty() || !std::regex_search(text, regex)) continue;
      ++matches;
      bool holds = false;
      for (const std::string& part : required) holds = holds || text.find(part) != text.npos;
      CAPTURE(text);
      CHECK(holds);
    }
  }
  CHECK(matches > 100);
}
