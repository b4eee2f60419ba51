#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include "tests/tidy/source_tree.hpp"

using namespace epsim;

namespace {

constexpr std::size_t kLongestFile = 400;
constexpr std::size_t kLongestTestFile = 500;
constexpr std::size_t kLongestFunction = 60;

// The ratchet: what is over a limit on purpose, its size today, and the reason beside it. A row may
// be lowered or removed, never raised. Keys are "path" or "path: first line of the function".
const std::map<std::string, std::size_t> kRatchet = {};

std::size_t limit_for(const std::string& key, std::size_t limit) {
  const auto row = kRatchet.find(key);
  return row == kRatchet.end() ? limit : row->second;
}

struct Function {
  std::string first_line;
  std::size_t line_count = 0;
};

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \n");
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(" \n") + 1 - begin));
}

// Whether the text before an opening brace makes it a function's body. What else can stand before
// a brace outside a function: a namespace, a type, or an initialiser.
bool opens_function(const std::string& head) {
  if (head.find('(') == std::string::npos || head.ends_with('=')) return false;
  for (const char* word : {"namespace ", "class ", "struct ", "enum ", "union "})
    if (head.starts_with(word)) return false;
  return true;
}

// Whether a line may be the start of what stands before a brace: a preprocessor line or an access
// label is not.
bool belongs_to_head(const std::string& line) {
  return !line.starts_with('#') && line != "public:" && line != "private:" && line != "protected:";
}

// The outermost functions of clang-formatted code, found by their braces.
std::vector<Function> functions_of(const std::string& text) {
  const std::string code = code_of(text);
  const std::vector<std::string> lines = lines_of(text);
  std::vector<Function> found;
  std::vector<bool> open;         // for each open brace: is it a function's body?
  std::size_t function_line = 0;  // line in which the head of the open function starts
  std::size_t line = 0;
  std::size_t head_begin = 0;
  const auto text_between = [&](std::size_t begin, std::size_t end) {
    return std::string_view(code).substr(begin, end - begin);
  };
  const auto in_function = [&] {
    for (const bool is_function : open)
      if (is_function) return true;
    return false;
  };
  for (std::size_t i = 0; i < code.size(); ++i) {
    const char c = code[i];
    if (c == '\n') ++line;
    if (c == '\n' && !belongs_to_head(trimmed(text_between(head_begin, i)))) head_begin = i;
    if (c == '{') {
      const std::string head = trimmed(text_between(head_begin, i));
      const bool is_function = !in_function() && opens_function(head);
      if (is_function) {
        const auto breaks = static_cast<std::size_t>(std::count(head.begin(), head.end(), '\n'));
        function_line = line - breaks;
      }
      open.push_back(is_function);
    } else if (c == '}' && !open.empty()) {
      if (open.back()) found.push_back({trimmed(lines[function_line]), line - function_line + 1});
      open.pop_back();
    }
    if (c == '{' || c == '}' || c == ';') head_begin = i + 1;
  }
  return found;
}

}  // namespace

TEST_CASE("tidy: no file is longer than a person can keep in mind") {
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    const std::size_t limit = file.is_in("tests") ? kLongestTestFile : kLongestFile;
    CAPTURE(file.path);
    CHECK(lines_of(file.text).size() <= limit_for(file.path, limit));
  }
}

TEST_CASE("tidy: no function is longer than a screen") {
  for (const SourceFile& file : source_tree()) {
    if (!file.is_cpp()) continue;
    for (const Function& function : functions_of(file.text)) {
      CAPTURE(file.path);
      CAPTURE(function.first_line);
      const std::string key = file.path + ": " + function.first_line;
      CHECK(function.line_count <= limit_for(key, kLongestFunction));
    }
  }
}

TEST_CASE("tidy: functions are counted from the head to the closing brace") {
  const std::vector<Function> found = functions_of(R"(#define LIMIT(x) x
namespace a {
constexpr int table[] = {
    1,
    2,
};
class Box {
 public:
  int volume() const { return '{' + 1'000; }  // a brace in a comment: {
  int wide(int a,
           int b) {
    if (a > b) {
      return 1;
    }
    return 2;
  }
};
}  // namespace a
)");
  REQUIRE(found.size() == 2);
  CHECK(found[0].first_line.starts_with("int volume()"));
  CHECK(found[0].line_count == 1);
  CHECK(found[1].first_line == "int wide(int a,");
  CHECK(found[1].line_count == 7);  // from "int wide" to its brace
}
