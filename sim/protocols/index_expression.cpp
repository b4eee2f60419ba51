#include "sim/protocols/index_expression.hpp"

#include <cctype>
#include <stdexcept>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr std::int64_t kLargest = 1LL << 31;  // so that a product of two still fits
constexpr int kDeepest = 50;

class Parser {
 public:
  Parser(std::string_view text, const Variables& variables) : text_(text), variables_(variables) {}

  std::int64_t whole() {
    const std::int64_t value = comparison();
    skip_blanks();
    if (at_ != text_.size()) fail(fmt::format("found \"{}\" after it", text_.substr(at_)));
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw std::invalid_argument(fmt::format("\"{}\" is no expression: {}", text_, what));
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  bool take(std::string_view sign) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }

  std::int64_t limited(std::int64_t value) const {
    if (value > kLargest || value < -kLargest) fail("its value is too large");
    return value;
  }

  std::int64_t comparison() {
    const std::int64_t left = sum();
    if (take("<=")) return left <= sum() ? 1 : 0;
    if (take(">=")) return left >= sum() ? 1 : 0;
    if (take("==")) return left == sum() ? 1 : 0;
    if (take("!=")) return left != sum() ? 1 : 0;
    if (take("<")) return left < sum() ? 1 : 0;
    if (take(">")) return left > sum() ? 1 : 0;
    return left;
  }

  std::int64_t sum() {
    std::int64_t value = product();
    while (true) {
      if (take("+"))
        value = limited(value + product());
      else if (take("-"))
        value = limited(value - product());
      else
        return value;
    }
  }

  std::int64_t product() {
    std::int64_t value = factor();
    while (true) {
      if (take("*"))
        value = limited(value * factor());
      else if (take("/"))
        value = divide(value, factor()).quotient;
      else if (take("%"))
        value = divide(value, factor()).remainder;
      else
        return value;
    }
  }

  struct Division {
    std::int64_t quotient, remainder;
  };
  Division divide(std::int64_t value, std::int64_t divisor) const {
    if (divisor == 0) fail("it divides by zero");
    Division result{value / divisor, value % divisor};
    if (result.remainder != 0 && (result.remainder < 0) != (divisor < 0))
      result = {result.quotient - 1, result.remainder + divisor};
    return result;
  }

  std::int64_t factor() {
    if (++depth_ > kDeepest) fail("it is nested too deep");
    std::int64_t value = 0;
    if (take("-")) {
      value = -factor();
    } else if (take("(")) {
      value = comparison();
      if (!take(")")) fail("a ( is not closed");
    } else {
      value = atom();
    }
    --depth_;
    return value;
  }

  std::int64_t atom() {
    skip_blanks();
    const auto is_part = [&](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    const std::size_t start = at_;
    while (at_ < text_.size() && is_part(text_[at_])) ++at_;
    const std::string_view word = text_.substr(start, at_ - start);
    if (word.empty()) fail("expected a number or a name");
    if (std::isdigit(static_cast<unsigned char>(word[0])) == 0) return variable(word);
    std::int64_t value = 0;
    for (const char digit : word) {
      if (std::isdigit(static_cast<unsigned char>(digit)) == 0) fail("expected a whole number");
      value = limited(value * 10 + (digit - '0'));
    }
    return value;
  }

  std::int64_t variable(std::string_view name) const {
    const auto found = variables_.find(name);
    if (found != variables_.end()) return found->second;
    std::string known;
    for (const auto& [word, ignored] : variables_) known += (known.empty() ? "" : ", ") + word;
    fail(known.empty() ? fmt::format("nothing is called {} here", name)
                       : fmt::format("nothing is called {} here; there is {}", name, known));
  }

  std::string_view text_;
  const Variables& variables_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::int64_t evaluate(std::string_view expression, const Variables& variables) {
  return Parser(expression, variables).whole();
}

std::string fill_in(std::string_view text, const Variables& variables) {
  std::string filled;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t open = text.find('{', at);
    filled += text.substr(at, open - at);
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos)
      throw std::invalid_argument(fmt::format("\"{}\" opens a {{ and does not close it", text));
    filled += std::to_string(evaluate(text.substr(open + 1, close - open - 1), variables));
    at = close + 1;
  }
  return filled;
}

}  // namespace epsim
