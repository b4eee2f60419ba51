#include "sim/protocols/index_expression.hpp"

#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

using namespace epsim;

namespace {

const Variables kVariables = {{"i", 7}, {"ranks", 4}, {"stages_", 3}};

std::string error_of(const std::string& text) {
  try {
    (void)evaluate(text, kVariables);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("Index expression: sums and products have their usual rank") {
  CHECK(evaluate("2 + 3 * 4", kVariables) == 14);
  CHECK(evaluate("(2 + 3) * 4", kVariables) == 20);
  CHECK(evaluate("i % stages_", kVariables) == 1);          // 7 = 2 * 3 + 1
  CHECK(evaluate("i / stages_ - 1", kVariables) == 1);      // 7 / 3 = 2
  CHECK(evaluate("10 - 3 - 2", kVariables) == 5);           // from left to right
  CHECK(evaluate("-i + 2 * -1", kVariables) == -9);         // -7 - 2
  CHECK(evaluate(" i%ranks*ranks ", kVariables) == 3 * 4);  // 7 % 4 = 3
}

TEST_CASE("Index expression: a remainder has the sign of the divisor and division rounds down") {
  CHECK(evaluate("(0 - 1) % ranks", kVariables) == 3);  // the rank before rank 0
  CHECK(evaluate("-1 / 4", kVariables) == -1);
  CHECK(evaluate("-8 / 4", kVariables) == -2);
  CHECK(evaluate("-8 % 4", kVariables) == 0);
}

TEST_CASE("Index expression: a comparison is 0 or 1") {
  CHECK(evaluate("i >= 7", kVariables) == 1);
  CHECK(evaluate("i > 7", kVariables) == 0);
  CHECK(evaluate("i <= 6", kVariables) == 0);
  CHECK(evaluate("i < 8", kVariables) == 1);
  CHECK(evaluate("i == 7", kVariables) == 1);
  CHECK(evaluate("(i != 7) * 5", kVariables) == 0);
}

TEST_CASE("Index expression: what is none says why") {
  CHECK(error_of("").find("expected a number or a name") != std::string::npos);
  CHECK(error_of("2 +").find("expected a number or a name") != std::string::npos);
  CHECK(error_of("(2").find("a ( is not closed") != std::string::npos);
  CHECK(error_of("2 3").find("found \"3\" after it") != std::string::npos);
  CHECK(error_of("2x").find("expected a whole number") != std::string::npos);
  CHECK(error_of("1 / (i - 7)").find("divides by zero") != std::string::npos);
  CHECK(error_of("j").find("nothing is called j here; there is i, ranks") != std::string::npos);
  CHECK(error_of("99999 * 99999 * 99999").find("too large") != std::string::npos);
  CHECK(error_of(std::string(200, '(')).find("nested too deep") != std::string::npos);
}

TEST_CASE("Index expression: a text is filled in between braces") {
  CHECK(fill_in("warp {i} of {ranks * 2}", kVariables) == "warp 7 of 8");
  CHECK(fill_in("plain", kVariables) == "plain");
  CHECK_THROWS_AS((void)fill_in("warp {i", kVariables), std::invalid_argument);
  CHECK_THROWS_AS((void)fill_in("warp {j}", kVariables), std::invalid_argument);
}
